//! Where records differ from Rocket.Chat's, and why.

/// There is no such field, or no such record.
pub(super) const ABSENT: &str = "absent";
/// There is such a record.
pub(super) const RECORD: &str = "record";
/// Any value of one field.
pub(super) const ANY: &str = "any";

/// A rule that differs, with every field in which that shows.
#[derive(Debug)]
pub(super) struct Deviation {
    /// The `dataType`.
    pub(super) kind: &'static str,
    #[expect(dead_code, reason = "read by people, and printed when a test fails")]
    pub(super) why: &'static str,
    pub(super) examples: &'static [Example],
}

/// A field of a record, here and there.
#[derive(Debug)]
pub(super) struct Example {
    pub(super) case: &'static str,
    pub(super) record: &'static str,
    /// Empty for the record itself.
    pub(super) path: &'static str,
    pub(super) ours: &'static str,
    pub(super) theirs: &'static str,
}

pub(super) const DEVIATIONS: &[Deviation] = &[
    Deviation {
        kind: "channel",
        why: "Says when topic and description were set, so that an older export sets none back. Rocket.Chat passes over it.",
        examples: &[
            Example { case: ANY, record: ANY, path: "_topicSince", ours: ANY, theirs: ABSENT },
            Example { case: ANY, record: ANY, path: "_descriptionSince", ours: ANY, theirs: ABSENT },
        ],
    },
    Deviation {
        kind: "user",
        why: "People in no list of users, who wrote or take part in a direct message, become deactivated placeholders.",
        examples: &[
            Example { case: "slack-basic", record: "U0GONE", path: "", ours: RECORD, theirs: ABSENT },
            Example { case: "slack-threads", record: "U0GONE", path: "", ours: RECORD, theirs: ABSENT },
        ],
    },
    Deviation {
        kind: "user",
        why: "Slackbot is Rocket.Chat's own bot; every reference to it names that one.",
        examples: &[Example { case: "slack-basic", record: "slackbot", path: "", ours: ABSENT, theirs: RECORD }],
    },
    Deviation {
        kind: "user",
        why: "A field without a value is left out: Rocket.Chat's clients trip over null.",
        examples: &[
            Example { case: ANY, record: ANY, path: "statusText", ours: ABSENT, theirs: "null" },
            Example { case: ANY, record: ANY, path: "bio", ours: ABSENT, theirs: "null" },
        ],
    },
    Deviation {
        kind: "user",
        why: "A person without an address has no addresses, where Rocket.Chat stages one that is empty.",
        examples: &[Example { case: ANY, record: ANY, path: "emails", ours: "[]", theirs: r#"[""]"# }],
    },
    Deviation {
        kind: "user",
        why: "Blanks around values of a list are no part of them.",
        examples: &[
            Example {
                case: "slack-users",
                record: "dan",
                path: "emails[0]",
                ours: r#""dan@acme.example""#,
                theirs: r#"" dan@acme.example ""#,
            },
            Example {
                case: "slack-users",
                record: "dan",
                path: "importIds[0]",
                ours: r#""dan@acme.example""#,
                theirs: r#"" dan@acme.example ""#,
            },
            Example {
                case: "slack-users",
                record: "dan",
                path: "name",
                ours: r#""Dan Dorn""#,
                theirs: r#"" Dan Dorn ""#,
            },
            Example { case: "slack-users", record: "dan", path: "username", ours: r#""dan""#, theirs: r#"" dan ""# },
        ],
    },
    Deviation {
        kind: "user",
        why: "A person without an address is known by the id of Slack, where Rocket.Chat leaves the row out without a word.",
        examples: &[Example { case: "slack-users", record: "nomail", path: "", ours: RECORD, theirs: ABSENT }],
    },
    Deviation {
        kind: "contact",
        why: "Cells without a value are left out.",
        examples: &[
            Example { case: ANY, record: ANY, path: "contactManager", ours: ABSENT, theirs: r#""""# },
            Example { case: ANY, record: ANY, path: "customFields.Country", ours: ABSENT, theirs: r#""""# },
            Example { case: ANY, record: ANY, path: "customFields.plan", ours: ABSENT, theirs: r#""""# },
            Example { case: ANY, record: ANY, path: "customFields.unknownfield", ours: ABSENT, theirs: r#""""# },
            Example { case: ANY, record: ANY, path: "phones", ours: "[]", theirs: r#"[""]"# },
            Example { case: ANY, record: ANY, path: "name", ours: ABSENT, theirs: r#""""# },
            Example { case: ANY, record: ANY, path: "emails", ours: "[]", theirs: r#"[""]"# },
        ],
    },
    Deviation {
        kind: "contact",
        why: "Without an id, a contact gets one that follows from its content, so that a second import finds it again.",
        examples: &[Example {
            case: "contacts",
            record: "No Id noid@acme.example",
            path: "importIds[0]",
            ours: r#""b3d7b60ec4a47b8d651a5a38""#,
            theirs: r#""""#,
        }],
    },
    Deviation {
        kind: "contact",
        why: "Blanks around values of a list are no part of them.",
        examples: &[
            Example {
                case: "contacts",
                record: "Phone Only",
                path: "phones",
                ours: r#"["+49 30 1"]"#,
                theirs: r#"[" +49 30 1 "," "]"#,
            },
            Example {
                case: "contacts",
                record: "Same Id Twice same@acme.example",
                path: "customFields.plan",
                ours: r#""gold""#,
                theirs: r#""  gold  ""#,
            },
        ],
    },
    Deviation {
        kind: "channel",
        why: "The second row of a channel is reported, where Rocket.Chat ignores its members and its type.",
        examples: &[Example { case: "csv-basic", record: "general-talk p", path: "", ours: ABSENT, theirs: RECORD }],
    },
    Deviation {
        kind: "channel",
        why: "A field without a value is left out: Rocket.Chat's clients trip over null.",
        examples: &[
            Example { case: ANY, record: ANY, path: "_id", ours: ABSENT, theirs: "null" },
            Example { case: ANY, record: ANY, path: "description", ours: ABSENT, theirs: "null" },
            Example { case: ANY, record: ANY, path: "topic", ours: ABSENT, theirs: "null" },
        ],
    },
    Deviation {
        kind: "channel",
        why: "Topics and purposes are text, not Slack's markup.",
        examples: &[
            Example {
                case: "slack-basic",
                record: "dev-ops c",
                path: "description",
                ours: r#""Build & run""#,
                theirs: r#""Build &amp; run""#,
            },
            Example {
                case: "slack-basic",
                record: "dev-ops c",
                path: "topic",
                ours: r#""Deploys [CI](https://ci.example) & more""#,
                theirs: r#""Deploys <https://ci.example|CI> &amp; more""#,
            },
        ],
    },
    Deviation {
        kind: "message",
        why: "Messages of CSV files have ids that follow from their content, so that a second import doubles nothing.",
        examples: &[Example { case: ANY, record: ANY, path: "_id", ours: ANY, theirs: ABSENT }],
    },
    Deviation {
        kind: "message",
        why: "Messages of a room that would share a millisecond get the next free one, in their order.",
        examples: &[
            Example {
                case: "csv-basic",
                record: "same millisecond",
                path: "ts",
                ours: r#"{"$date":1577880060124}"#,
                theirs: r#"{"$date":1577880060123}"#,
            },
            Example {
                case: "csv-basic",
                record: "a fraction is cut",
                path: "ts",
                ours: r#"{"$date":1577880060125}"#,
                theirs: r#"{"$date":1577880060123}"#,
            },
            Example {
                case: "slack-again",
                record: "slack-C0A-1600000203-000100-file1",
                path: "ts",
                ours: r#"{"$date":1600000203001}"#,
                theirs: r#"{"$date":1600000203000}"#,
            },
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000224-000100",
                path: "ts",
                ours: r#"{"$date":1600000224001}"#,
                theirs: r#"{"$date":1600000224000}"#,
            },
            Example {
                case: "slack-threads",
                record: "slack-C0TH-1600086600-000300-file1",
                path: "ts",
                ours: r#"{"$date":1600086600001}"#,
                theirs: r#"{"$date":1600086600000}"#,
            },
        ],
    },
    Deviation {
        kind: "message",
        why: "Seconds and dates are recognised, where Rocket.Chat takes them for January 1970.",
        examples: &[
            Example {
                case: "csv-basic",
                record: "seconds land in 1970",
                path: "ts",
                ours: r#"{"$date":1577880121000}"#,
                theirs: r#"{"$date":1577880121}"#,
            },
            Example {
                case: "csv-basic",
                record: "a date is read up to the first dash",
                path: "ts",
                ours: r#"{"$date":1580428800000}"#,
                theirs: r#"{"$date":2020}"#,
            },
        ],
    },
    Deviation {
        kind: "message",
        why: "A time without a digit is reported, where Rocket.Chat takes it for 1970.",
        examples: &[Example { case: "csv-basic", record: "no digits at all", path: "", ours: ABSENT, theirs: RECORD }],
    },
    Deviation {
        kind: "message",
        why: "A row without a text is reported, where Rocket.Chat makes an empty message of it.",
        examples: &[Example { case: "csv-basic", record: "", path: "", ours: ABSENT, theirs: RECORD }],
    },
    Deviation {
        kind: "message",
        why: "Blanks and byte order marks are no part of a name.",
        examples: &[
            Example {
                case: "csv-basic",
                record: "author with a blank in front",
                path: "u._id",
                ours: r#""bob""#,
                theirs: r#"" bob""#,
            },
            Example {
                case: "csv-basic",
                record: "byte order mark in front of the author",
                path: "u._id",
                ours: r#""bob""#,
                theirs: "\"\u{feff}bob\"",
            },
        ],
    },
    Deviation {
        kind: "message",
        why: "A quotation mark, a blank line or a short row costs a row at most, where Rocket.Chat drops the file.",
        examples: &[
            Example { case: "csv-basic", record: "ok", path: "", ours: RECORD, theirs: ABSENT },
            Example { case: "csv-basic", record: r#"bad "quote" here"#, path: "", ours: RECORD, theirs: ABSENT },
            Example { case: "csv-basic", record: "after a blank line", path: "", ours: RECORD, theirs: ABSENT },
        ],
    },
    Deviation {
        kind: "message",
        why: "Topics are text, not Slack's markup.",
        examples: &[Example {
            case: "slack-basic",
            record: "slack-C0GEN-1600000202-000100",
            path: "msg",
            ours: r#""Company-wide & @bob""#,
            theirs: r#""Company-wide &amp; <@U0BOB>""#,
        }],
    },
    Deviation {
        kind: "message",
        why: "Somebody is mentioned once, however often the text names them.",
        examples: &[
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000205-000100",
                path: "mentions",
                ours: r#"["U0ANN","U0CAT","U0GONE"]"#,
                theirs: r#"["U0ANN","U0CAT","U0ANN","U0GONE"]"#,
            },
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000206-000100",
                path: "mentions",
                ours: r#"["here","all"]"#,
                theirs: r#"["here","all","all"]"#,
            },
        ],
    },
    Deviation {
        kind: "message",
        why: "A mention counts wherever it stands.",
        examples: &[
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000214-000100",
                path: "mentions",
                ours: r#"["U0ANN","U0EVE"]"#,
                theirs: r#"["U0ANN"]"#,
            },
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000215-000100",
                path: "mentions",
                ours: r#"["U0ANN","U0EVE","U0DAN"]"#,
                theirs: ABSENT,
            },
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000216-000100",
                path: "mentions[0]",
                ours: r#""U0ANN""#,
                theirs: r#""@U0ANN""#,
            },
        ],
    },
    Deviation {
        kind: "message",
        why: "What is typed by hand is no mention in Slack.",
        examples: &[
            Example {
                case: "slack-basic",
                record: "slack-C0RND-1600000401-000100",
                path: "channels",
                ours: ABSENT,
                theirs: r#"["general"]"#,
            },
            Example {
                case: "slack-basic",
                record: "slack-C0RND-1600000401-000100",
                path: "mentions",
                ours: ABSENT,
                theirs: r#"["bob","here"]"#,
            },
        ],
    },
    Deviation {
        kind: "message",
        why: "Channels are named by id, which finds them whatever their names become.",
        examples: &[
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000207-000100",
                path: "channels[0]",
                ours: r#""C0RND""#,
                theirs: r#""random""#,
            },
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000207-000100",
                path: "channels[1]",
                ours: r#""C0DEV""#,
                theirs: r#""dev""#,
            },
        ],
    },
    Deviation {
        kind: "message",
        why: "Tokens are read one at a time: none swallows another, and none stays raw.",
        examples: &[
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000207-000100",
                path: "msg",
                ours: r#""see #random and #dev-ops and #random and #dev-ops""#,
                theirs: r#""see #random and #dev-ops and #""#,
            },
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000208-000100",
                path: "msg",
                ours: r#""mail bob@acme.example, call +49 1234, team @devs, at some day""#,
                theirs: r#""mail <mailto:bob@acme.example|bob@acme.example>, call <tel:+491234|+49 1234>, team <!subteam^S0X|@devs>, at <!date^1600000000^{date}|some day>""#,
            },
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000214-000100",
                path: "msg",
                ours: r#""@U0ANN said @U0EVE""#,
                theirs: r#""@U0ANN> said <@U0EVE""#,
            },
        ],
    },
    Deviation {
        kind: "message",
        why: "Skin tones are written as Rocket.Chat writes them.",
        examples: &[Example {
            case: "slack-basic",
            record: "slack-C0GEN-1600000209-000100",
            path: "msg",
            ours: r#"":smile: :pencil: :pig: :gb: :thumbsup_tone1: *bold* _it_ ~no~ `code <b>` > quote""#,
            theirs: r#"":smile: :pencil: :pig: :gb: :thumbsup::skin-tone-2: *bold* _it_ ~no~ `code <b>` > quote""#,
        }],
    },
    Deviation {
        kind: "message",
        why: "Entities are decoded once, and what they show is no token.",
        examples: &[Example {
            case: "slack-basic",
            record: "slack-C0GEN-1600000210-000100",
            path: "msg",
            ours: r#""<https://not.a.link> and &amp; stay""#,
            theirs: r#""https://not.a.link and &amp; stay""#,
        }],
    },
    Deviation {
        kind: "message",
        why: "A text that is only in blocks is a text.",
        examples: &[Example {
            case: "slack-basic",
            record: "slack-C0GEN-1600000231-000100",
            path: "msg",
            ours: r#""only in blocks""#,
            theirs: r#""""#,
        }],
    },
    Deviation {
        kind: "message",
        why: "Every reaction is kept under its own name.",
        examples: &[
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000221-000100",
                path: "reactions.:heart:",
                ours: r#"{"name":":heart:","users":["U0EVE","U0GONE"]}"#,
                theirs: ABSENT,
            },
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000221-000100",
                path: "reactions.:thumbsup:",
                ours: r#"{"name":":thumbsup:","users":["U0BOB","U0EVE"]}"#,
                theirs: ABSENT,
            },
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000221-000100",
                path: "reactions.name",
                ours: ABSENT,
                theirs: r#"{"name":":heart:","users":["U0EVE","U0GONE"]}"#,
            },
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000222-000100",
                path: "reactions.:tada:",
                ours: r#"{"name":":tada:","users":["rocket.cat","U0BOB"]}"#,
                theirs: ABSENT,
            },
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000222-000100",
                path: "reactions.name",
                ours: ABSENT,
                theirs: r#"{"name":":tada:","users":["rocket.cat","U0BOB"]}"#,
            },
        ],
    },
    Deviation {
        kind: "message",
        why: "An attachment keeps no parts for which Rocket.Chat refuses the whole message.",
        examples: &[
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000228-000100",
                path: "attachments[0].fields",
                ours: ABSENT,
                theirs: r#"[{"title":"","value":"v","short":false}]"#,
            },
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000228-000100",
                path: "attachments[0].text",
                ours: r#""v""#,
                theirs: r#""""#,
            },
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000229-000100",
                path: "attachments[0].title_link",
                ours: ABSENT,
                theirs: r#""/files/x""#,
            },
        ],
    },
    Deviation {
        kind: "message",
        why: "A field without a value is left out: Rocket.Chat's clients trip over null.",
        examples: &[
            Example { case: ANY, record: ANY, path: "attachments[0].fallback", ours: ABSENT, theirs: r#""""# },
            Example { case: ANY, record: ANY, path: "attachments[0].text", ours: ABSENT, theirs: r#""""# },
            Example { case: ANY, record: ANY, path: "attachments[0].title", ours: ABSENT, theirs: r#""""# },
            Example { case: ANY, record: ANY, path: "attachments", ours: ABSENT, theirs: "null" },
        ],
    },
    Deviation {
        kind: "message",
        why: "Attachments show names, colours and times as Rocket.Chat reads them.",
        examples: &[
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000225-000100",
                path: "attachments[0].color",
                ours: "\"#36a64f\"",
                theirs: r#""36a64f""#,
            },
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000225-000100",
                path: "attachments[0].fallback",
                ours: r#""fall @bob""#,
                theirs: r#""fall @U0BOB""#,
            },
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000225-000100",
                path: "attachments[0].text",
                ours: r#""see @eve""#,
                theirs: r#""see @U0EVE""#,
            },
            Example {
                case: "slack-basic",
                record: "slack-C0GEN-1600000225-000100",
                path: "attachments[0].ts",
                ours: "1600000000000",
                theirs: "1600000000",
            },
        ],
    },
    Deviation {
        kind: "message",
        why: "The name a bot gave itself is kept.",
        examples: &[
            Example {
                case: "slack-basic",
                record: "slack-C0DEV-1600000501-000100",
                path: "alias",
                ours: r#""Deployer""#,
                theirs: ABSENT,
            },
            Example {
                case: "slack-threads",
                record: "slack-C0TH-1600000240-000100",
                path: "alias",
                ours: r#""Deployer""#,
                theirs: ABSENT,
            },
        ],
    },
    Deviation {
        kind: "message",
        why: "A bot without a user is Rocket.Chat's own bot, where Rocket.Chat credits a stranger.",
        examples: &[Example {
            case: "slack-threads",
            record: "slack-C0TH-1600000240-000100",
            path: "u._id",
            ours: r#""rocket.cat""#,
            theirs: "null",
        }],
    },
    Deviation {
        kind: "message",
        why: "Answers are counted as they are in the export, not as Slack counted them.",
        examples: &[
            Example {
                case: "slack-threads",
                record: "slack-C0TH-1600000200-000100",
                path: "tcount",
                ours: "5",
                theirs: "3",
            },
            Example {
                case: "slack-threads",
                record: "slack-C0TH-1600000200-000100",
                path: "tlm",
                ours: r#"{"$date":1600086600000}"#,
                theirs: r#"{"$date":1600086500000}"#,
            },
            Example {
                case: "slack-threads",
                record: "slack-C0TH-1600000270-000100",
                path: "replies",
                ours: r#"["U0EVE"]"#,
                theirs: ABSENT,
            },
            Example {
                case: "slack-threads",
                record: "slack-C0TH-1600000290-000100",
                path: "tcount",
                ours: ABSENT,
                theirs: "0",
            },
            Example {
                case: "slack-threads",
                record: "slack-C0TH-1600000290-000100",
                path: "tlm",
                ours: ABSENT,
                theirs: r#"{"$date":0}"#,
            },
        ],
    },
    Deviation {
        kind: "message",
        why: "An answer that is also sent to the channel is shown there.",
        examples: &[Example {
            case: "slack-threads",
            record: "slack-C0TH-1600000220-000100",
            path: "tshow",
            ours: "true",
            theirs: ABSENT,
        }],
    },
    Deviation {
        kind: "message",
        why: "An answer whose thread is not in the export is a plain message.",
        examples: &[Example {
            case: "slack-threads",
            record: "slack-C0TH-1600000230-000100",
            path: "tmid",
            ours: ABSENT,
            theirs: r#""slack-C0TH-1599990000-000100""#,
        }],
    },
    Deviation {
        kind: "message",
        why: "One odd message costs nothing else, where Rocket.Chat loses the rest of its day.",
        examples: &[
            Example {
                case: "slack-threads",
                record: "slack-C0TH-1600172901-000100",
                path: "",
                ours: RECORD,
                theirs: ABSENT,
            },
            Example {
                case: "slack-threads",
                record: "slack-C0TH-1600172902-000100",
                path: "",
                ours: RECORD,
                theirs: ABSENT,
            },
        ],
    },
];
