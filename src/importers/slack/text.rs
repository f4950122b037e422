//! Slack's markup as Rocket.Chat's.
//!
//! Slack escapes `<`, `>` and `&`, so that each `<` begins a token of its own. Rocket.Chat's importer replaces by
//! patterns that run from the first opening to a later closing and swallow what lies between; here a token is read at a
//! time.

use chrono::DateTime;

use super::names::Names;

/// The name under which Rocket.Chat knows Slack's own bot.
pub(super) const ROCKET_CAT: &str = "rocket.cat";
const SLACKBOT: &str = "USLACKBOT";

/// Names of emoji that Rocket.Chat knows by another name.
///
/// Source: `apps/meteor/server/lib/import/slack/SlackImporter.ts`.
const EMOJI_NAMES: [(&str, &str); 4] = [("simple_smile", "smile"), ("memo", "pencil"), ("piggy", "pig"), ("uk", "gb")];
const SKIN_TONE: &str = "skin-tone-";
/// Slack counts skin tones from 2, Rocket.Chat's emoji from 1.
const SKIN_TONES: std::ops::RangeInclusive<u8> = 2..=6;

/// How people are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum People {
    /// By import id, to be replaced by the account's name when the message is made.
    ByImportId,
    /// By the username of the export, where nothing replaces it later.
    ByUsername,
}

/// Text that grows, and whom it mentions.
#[derive(Debug)]
pub(super) struct Text<'n> {
    names: &'n Names,
    people: People,
    pub(super) shown: String,
    /// Import ids, `all` and `here`, each once, in their order.
    pub(super) mentions: Vec<String>,
    /// Import ids of channels of the export, each once, in their order.
    pub(super) channels: Vec<String>,
    /// Whether there are emoji whose names were left as they are.
    pub(super) emoji_unchanged: bool,
}

/// The import id of somebody in Slack.
pub(super) fn import_id(id: &str) -> &str {
    if id == SLACKBOT { ROCKET_CAT } else { id }
}

pub(super) fn is_slackbot(id: &str) -> bool {
    id == SLACKBOT
}

/// The text as Rocket.Chat shows it, with usernames in place of mentions.
pub(super) fn plain(text: &str, names: &Names) -> String {
    let mut converted = Text::new(names, People::ByUsername);
    converted.push_markup(text);
    converted.shown
}

impl<'n> Text<'n> {
    pub(super) const fn new(names: &'n Names, people: People) -> Self {
        Self { names, people, shown: String::new(), mentions: Vec::new(), channels: Vec::new(), emoji_unchanged: false }
    }

    /// Appends text with Slack's tokens and entities.
    pub(super) fn push_markup(&mut self, mut markup: &str) {
        while let Some(begin) = markup.find('<') {
            let (before, rest) = markup.split_at(begin);
            self.push_escaped(before);
            let inner = rest[1..].find(['>', '<', '\n']).map(|end| (&rest[1..=end], rest.as_bytes()[end + 1]));
            match inner {
                Some((token, b'>')) if self.push_token(token) => markup = &rest[token.len() + 2..],
                _ => {
                    self.shown.push('<');
                    markup = &rest[1..];
                }
            }
        }
        self.push_escaped(markup);
    }

    /// Appends a token, or returns false if it is none.
    fn push_token(&mut self, token: &str) -> bool {
        let (target, label) = match token.split_once('|') {
            Some((target, label)) => (target, Some(unescaped(label)).filter(|label| !label.trim().is_empty())),
            None => (token, None),
        };
        match target.as_bytes().first() {
            Some(b'@') => self.push_user(&target[1..], label.as_deref()),
            Some(b'#') => self.push_channel(&target[1..], label.as_deref()),
            Some(b'!') => self.push_command(&target[1..], label.as_deref()),
            _ if is_address(target) => self.push_link(&unescaped(target), label.as_deref()),
            _ => return false,
        }
        true
    }

    /// Appends a mention of somebody.
    pub(super) fn push_user(&mut self, id: &str, label: Option<&str>) {
        let id = import_id(id);
        self.shown.push('@');
        match self.people {
            People::ByImportId => {
                self.shown.push_str(id);
                self.mention(id);
            }
            People::ByUsername => {
                let label = label.map(|label| label.trim_start_matches('@'));
                let name = self.names.username(id).or(label).unwrap_or(id);
                self.shown.push_str(name);
            }
        }
    }

    fn mention(&mut self, id: &str) {
        if !self.mentions.iter().any(|mentioned| mentioned == id) {
            self.mentions.push(id.to_owned());
        }
    }

    /// Appends a mention of a channel: by its name in the export, else by the name the text gives.
    pub(super) fn push_channel(&mut self, id: &str, label: Option<&str>) {
        let known = self.names.channel(id);
        let label = label.map(|label| label.trim_start_matches('#'));
        let name = known.or(label).unwrap_or(id);
        self.shown.push('#');
        self.shown.push_str(name);
        if known.is_some() && !self.channels.iter().any(|channel| channel == id) {
            self.channels.push(id.to_owned());
        }
    }

    fn push_command(&mut self, command: &str, label: Option<&str>) {
        let (name, rest) = command.split_once('^').unwrap_or((command, ""));
        match name {
            "here" => self.push_everyone("here"),
            "channel" | "everyone" | "group" => self.push_everyone("all"),
            "subteam" => self.push_group(rest, label),
            "date" => self.push_date(rest, label),
            _ => self.shown.push_str(label.unwrap_or(name)),
        }
    }

    /// Appends a mention of all in the room, or of those who are there.
    pub(super) fn push_everyone(&mut self, whom: &str) {
        self.shown.push('@');
        self.shown.push_str(whom);
        if self.people == People::ByImportId {
            self.mention(whom);
        }
    }

    /// Appends the name of a user group. Rocket.Chat has none, so it mentions nobody.
    pub(super) fn push_group(&mut self, id: &str, label: Option<&str>) {
        self.shown.push('@');
        self.shown.push_str(label.unwrap_or(id).trim_start_matches('@'));
    }

    fn push_date(&mut self, rest: &str, label: Option<&str>) {
        let mut parts = rest.split('^');
        let seconds = parts.next().and_then(|seconds| seconds.parse::<i64>().ok());
        let link = parts.nth(1).map(unescaped);
        let date = seconds.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        let shown = match (label, date) {
            (Some(label), _) => label.to_owned(),
            (None, Some(date)) => date.format("%Y-%m-%d %H:%M UTC").to_string(),
            (None, None) => String::new(),
        };
        match link.filter(|link| is_address(link)) {
            Some(link) => self.push_link(&link, Some(&shown)),
            None => self.shown.push_str(&shown),
        }
    }

    /// Appends a link. Mail addresses and phone numbers that stand for themselves stay bare.
    pub(super) fn push_link(&mut self, address: &str, label: Option<&str>) {
        let bare = ["mailto:", "tel:"].iter().find_map(|scheme| address.strip_prefix(scheme));
        let same = |label: &str| bare.is_some_and(|bare| without_blanks(label) == without_blanks(bare));
        match label {
            Some(label) if !same(label) => {
                self.shown.push('[');
                self.push_text(&label.replace('\n', " "));
                self.shown.push_str("](");
                self.shown.push_str(address);
                self.shown.push(')');
            }
            Some(label) => self.shown.push_str(label),
            None => self.shown.push_str(bare.unwrap_or(address)),
        }
    }

    fn push_escaped(&mut self, escaped: &str) {
        self.push_text(&unescaped(escaped));
    }

    /// Appends text that holds emoji by name and nothing else to be replaced.
    pub(super) fn push_text(&mut self, mut text: &str) {
        while let Some(begin) = text.find(':') {
            self.shown.push_str(&text[..begin]);
            text = &text[begin..];
            if let Some((name, tone, length)) = emoji_at(text) {
                self.push_emoji(name, tone);
                text = &text[length..];
            } else {
                self.shown.push(':');
                text = &text[1..];
            }
        }
        self.shown.push_str(text);
    }

    /// Appends an emoji by its name in Slack.
    pub(super) fn push_emoji(&mut self, name: &str, tone: Option<u8>) {
        let known = mapped(name);
        self.emoji_unchanged |= known.is_none() && tone.is_none();
        self.shown.push_str(&shortcode(known.unwrap_or(name), tone));
    }
}

fn shortcode(name: &str, tone: Option<u8>) -> String {
    tone.map_or_else(|| format!(":{name}:"), |tone| format!(":{name}_tone{}:", tone - 1))
}

fn mapped(name: &str) -> Option<&'static str> {
    EMOJI_NAMES.iter().find(|(slack, _)| *slack == name).map(|(_, ours)| *ours)
}

/// The emoji of a reaction, whose name may end with a skin tone, with colons round it.
pub(super) fn reaction(name: &str) -> String {
    let name = name.trim_matches(':');
    let (base, tone) = match name.split_once("::") {
        Some((base, tone)) => (base, tone.strip_prefix(SKIN_TONE).and_then(skin_tone)),
        None => (name, None),
    };
    shortcode(mapped(base).unwrap_or(base), tone)
}

fn skin_tone(digit: &str) -> Option<u8> {
    digit.parse().ok().filter(|tone| SKIN_TONES.contains(tone))
}

/// The emoji that a text begins with: its name, its skin tone, and its length in the text.
fn emoji_at(text: &str) -> Option<(&str, Option<u8>, usize)> {
    let (name, length) = name_at(text)?;
    if !name.bytes().any(|byte| byte.is_ascii_alphabetic()) && !matches!(name, "+1" | "-1" | "100" | "1234") {
        return None;
    }
    if name.starts_with(SKIN_TONE) {
        return None;
    }
    let tone = name_at(&text[length..])
        .and_then(|(tone, tone_length)| Some((skin_tone(tone.strip_prefix(SKIN_TONE)?)?, tone_length)));
    Some(match tone {
        Some((tone, tone_length)) => (name, Some(tone), length + tone_length),
        None => (name, None, length),
    })
}

fn name_at(text: &str) -> Option<(&str, usize)> {
    let rest = text.strip_prefix(':')?;
    let end = rest.find(|character: char| !matches!(character, 'a'..='z' | '0'..='9' | '_' | '+' | '-' | '\''))?;
    (end > 0 && rest[end..].starts_with(':')).then(|| (&rest[..end], end + 2))
}

/// Whether a token's target is an address with a scheme.
fn is_address(target: &str) -> bool {
    let Some((scheme, rest)) = target.split_once(':') else { return false };
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.');
    !rest.is_empty() && scheme.as_bytes().first().is_some_and(u8::is_ascii_alphabetic) && scheme.bytes().all(letters)
}

/// The text with Slack's three entities decoded, once.
pub(super) fn unescaped(text: &str) -> String {
    if !text.contains('&') {
        return text.to_owned();
    }
    // The ampersand comes last: `&amp;lt;` is the text `&lt;`.
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
}

fn without_blanks(text: &str) -> String {
    text.chars().filter(|character| !character.is_whitespace()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn names() -> Names {
        Names::of(&[("U01", "ann"), ("U02", "bea")], &[("C01", "general"), ("C02", "dev-ops")])
    }

    fn converted(markup: &str) -> (String, Vec<String>, Vec<String>) {
        let names = names();
        let mut text = Text::new(&names, People::ByImportId);
        text.push_markup(markup);
        (text.shown, text.mentions, text.channels)
    }

    fn text(markup: &str) -> String {
        converted(markup).0
    }

    #[test]
    fn odd_text_stays_readable_and_nothing_is_swallowed() {
        let (text, mentions, channels) = converted(
            "<@U77> and <@U01|ann>: <https://a.example/x>\n- see <#C99|gone> <!here> <!subteam^S1|@ops> &lt;b&gt; \
             <mailto:a@b.example|a@b.example> <!date^1577923200^{date}|Jan 2>",
        );
        assert_eq!(text, "@U77 and @U01: https://a.example/x\n- see #gone @here @ops <b> a@b.example Jan 2");
        assert_eq!(mentions, ["U77", "U01", "here"]);
        assert!(channels.is_empty());
    }

    #[test]
    fn a_labelled_token_ends_where_it_ends() {
        assert_eq!(text("<@U02> said <@U01|bob>"), "@U02 said @U01");
        assert_eq!(text("<#C02> then <#C01|gen>"), "#dev-ops then #general");
        assert_eq!(text("a < b and <http://x.example\n> c"), "a < b and <http://x.example\n> c");
        assert_eq!(text("1 <2 <@U01>"), "1 <2 @U01");
    }

    #[test]
    fn people_are_mentioned_wherever_they_stand_and_once() {
        let (text, mentions, _) = converted("(<@U01>) \"<@U02>\" ,<@U01>\n&gt;<@USLACKBOT>");
        assert_eq!(text, "(@U01) \"@U02\" ,@U01\n>@rocket.cat");
        assert_eq!(mentions, ["U01", "U02", "rocket.cat"]);
        assert!(converted("@ann typed by hand, @here too").1.is_empty());
    }

    #[test]
    fn entities_are_decoded_once() {
        assert_eq!(text("&lt;https://not.a.link&gt; and &amp;amp; &amp;lt;"), "<https://not.a.link> and &amp; &lt;");
        assert_eq!(text("<https://x.example/?a=1&amp;b=2|A &amp; B>"), "[A & B](https://x.example/?a=1&b=2)");
    }

    #[test]
    fn addresses_and_dates_are_told_as_people_read_them() {
        assert_eq!(text("<tel:+491234|+49 1234> <mailto:a@b.example|Ann>"), "+49 1234 [Ann](mailto:a@b.example)");
        assert_eq!(text("<!date^1577923200^{date}>"), "2020-01-02 00:00 UTC");
        assert_eq!(text("<!date^1577923200^{date}^https://c.example|Jan 2>"), "[Jan 2](https://c.example)");
        assert_eq!(text("<!channel> <!everyone|everyone> <!here|here>"), "@all @all @here");
    }

    #[test]
    fn emoji_are_named_as_rocket_chat_names_them() {
        assert_eq!(text(":simple_smile: :memo: :piggy: :uk:"), ":smile: :pencil: :pig: :gb:");
        assert_eq!(text(":thumbsup::skin-tone-2::tada: 10:30:45"), ":thumbsup_tone1::tada: 10:30:45");
        assert_eq!(reaction("thumbsup::skin-tone-6"), ":thumbsup_tone5:");
        assert_eq!(reaction("memo"), ":pencil:");
    }

    #[test]
    fn topics_name_people_by_their_username() {
        assert_eq!(plain("ask <@U01> &amp; <@U99|carl> in <#C01>", &names()), "ask @ann & @carl in #general");
    }

    proptest! {
        #[test]
        fn what_holds_no_token_is_only_decoded(text in "[^<&:]*") {
            prop_assert_eq!(converted(&text).0, text);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[<>@#!|:&a-z0-9^ \n\u{e9}-]*") {
            converted(&text);
        }
    }
}
