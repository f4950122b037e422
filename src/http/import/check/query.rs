//! The query of a check: the flags of the command line as parameters.

use actix_web::web;
use clap::ValueEnum;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::super::run_body::{OnExistingRule, OnUsernameTakenRule};
use crate::{
    domain::matching::{Column, MatchBy, OnExisting, OnUsernameTaken, WantedRules},
    http::error::ApiError,
    user_file::{Options, encoding_named},
};

/// The file to read, and the options of the reader.
#[derive(Debug, Default)]
pub(super) struct Wanted {
    pub(super) options: Options,
    /// The name of the file, whose ending shows the format where the content does not.
    pub(super) name: Option<String>,
    /// The upload that holds the file, in place of the body.
    pub(super) upload: Option<String>,
    pub(super) wants_users: bool,
    /// Whether the answer holds the lines that cannot be imported.
    pub(super) wants_rejects: bool,
    /// Whether the accounts of the workspace are looked at, too.
    pub(super) wants_workspace: bool,
    /// The rules of the run that is to be foreseen.
    pub(super) rules: WantedRules,
}

/// The parameters, to be described.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[serde(rename_all = "camelCase")]
#[expect(dead_code, reason = "it is here to be described")]
#[expect(clippy::struct_excessive_bools, reason = "each is a parameter of its own")]
pub(in crate::http) struct CheckParameters {
    /// The format of the file; seen by its content and its name where it is missing.
    #[param(required = false, value_type = FileFormat)]
    format: Option<String>,
    /// The name of the file, whose ending shows the format where the content does not.
    #[param(required = false, value_type = String)]
    name: Option<String>,
    /// The last part of the URL of a complete `import.upload` whose `purpose` is `check`. Its file is read, and the body is empty.
    #[param(required = false, value_type = String)]
    upload: Option<String>,
    /// Where the file comes from; seen by its names where it is missing.
    #[param(required = false, value_type = FileSource)]
    from: Option<String>,
    /// The encoding of a text that is not UTF-8, such as `windows-1252`.
    #[param(required = false, value_type = String)]
    encoding: Option<String>,
    /// The sheet of a workbook, instead of its first.
    #[param(required = false, value_type = String)]
    sheet: Option<String>,
    /// `COLUMN=FIELD`: the field that a column stands for; without a field the column is left out. May be repeated.
    #[param(required = false, value_type = Vec<String>)]
    map: Vec<String>,
    /// `FIELD=VALUE`: the value of a field for users that have none. May be repeated.
    #[param(required = false, value_type = Vec<String>)]
    constant: Vec<String>,
    /// Whether columns that stand for no field are left out.
    #[param(required = false)]
    ignore_unknown: bool,
    /// The field that becomes the import id of a user without one.
    #[param(required = false, value_type = ImportIdSource)]
    import_id_from: Option<String>,
    /// A kind of warnings that are errors. May be repeated.
    #[param(required = false, value_type = Vec<String>)]
    refuse: Vec<String>,
    /// Whether the answer holds the users, as JSON lines.
    #[param(required = false)]
    users: bool,
    /// Whether the answer holds, as JSON lines, pieces of a list of the lines that cannot be imported.
    #[param(required = false)]
    rejects: bool,
    /// Whether the answer says, as JSON lines, what a run would do with each user.
    #[param(required = false)]
    workspace: bool,
    /// With `workspace`: the rule of that run, as in `import.run`.
    #[param(required = false, value_type = OnExistingRule)]
    on_existing: Option<String>,
    /// With `workspace`: a field that accounts may be found by, as in `import.run`. May be repeated, and have several
    /// with commas.
    #[param(required = false, value_type = Vec<String>)]
    match_by: Vec<String>,
    /// With `workspace`: the rule for user names, as in `import.run`. With `suffix`, several people of the file may have one
    /// user name, also without `workspace`.
    #[param(required = false, value_type = OnUsernameTakenRule)]
    on_username_taken: Option<String>,
    /// With `workspace`: a column that `update` also takes, as in `import.run`. May be repeated, and have several with
    /// commas.
    #[param(required = false, value_type = Vec<String>)]
    also_update: Vec<String>,
    /// With `workspace`: whether new accounts join the default channels, as in `import.run`.
    #[param(required = false)]
    join_default_channels: bool,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it is here to be described")]
pub(in crate::http) enum FileFormat {
    Csv,
    Xlsx,
    Ods,
    Json,
    Jsonl,
    Ldif,
}

#[derive(ToSchema)]
#[schema(rename_all = "kebab-case")]
#[expect(dead_code, reason = "it is here to be described")]
pub(in crate::http) enum FileSource {
    Own,
    Rocketchat,
    SlackMembers,
    Google,
    Entra,
    Ldap,
    Mattermost,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
#[expect(dead_code, reason = "it is here to be described")]
pub(in crate::http) enum ImportIdSource {
    Username,
    Email,
}

impl Wanted {
    /// Reads the query.
    ///
    /// # Errors
    /// With a sentence for a parameter that is not known, or whose value cannot be used.
    pub(super) fn from_query(query: &str) -> Result<Self, ApiError> {
        let pairs = web::Query::<Vec<(String, String)>>::from_query(query);
        let pairs = pairs.map_err(|_| ApiError::InvalidQuery("Invalid query parameters"))?;
        let mut wanted = Self::default();
        for (parameter, value) in pairs.into_inner() {
            wanted.take(&parameter, value).map_err(|reason| ApiError::InvalidParameter { parameter, reason })?;
        }
        wanted.options.may_share_names = wanted.rules.on_username_taken == Some(OnUsernameTaken::Suffix);
        Ok(wanted)
    }

    /// Whether the answer is JSON lines.
    pub(super) const fn is_streamed(&self) -> bool {
        self.wants_users || self.wants_rejects || self.wants_workspace
    }

    fn take(&mut self, parameter: &str, value: String) -> Result<(), String> {
        let options = &mut self.options;
        match parameter {
            "format" => options.format = Some(one_of(&value)?),
            "name" => self.name = Some(value),
            "upload" => self.upload = Some(value),
            "from" => options.from = Some(one_of(&value)?),
            "encoding" => options.encoding = Some(encoding_named(&value)?),
            "sheet" => options.sheet = Some(value),
            "map" => options.assignments.map(&value)?,
            "constant" => options.assignments.add_constant(&value)?,
            "ignoreUnknown" => options.ignores_unknown = yes_or_no(&value)?,
            "importIdFrom" => options.import_id_from = Some(one_of(&value)?),
            "refuse" => options.refused.push(one_of(&value)?),
            "users" => self.wants_users = yes_or_no(&value)?,
            "rejects" => self.wants_rejects = yes_or_no(&value)?,
            "workspace" => self.wants_workspace = yes_or_no(&value)?,
            _ => return self.take_rule(parameter, &value),
        }
        Ok(())
    }

    fn take_rule(&mut self, parameter: &str, value: &str) -> Result<(), String> {
        let rules = &mut self.rules;
        match parameter {
            "onExisting" => {
                rules.on_existing = Some(word(value, OnExisting::from_word, &OnExisting::ALL.map(OnExisting::as_str))?);
            }
            "onUsernameTaken" => {
                let words = OnUsernameTaken::ALL.map(OnUsernameTaken::as_str);
                rules.on_username_taken = Some(word(value, OnUsernameTaken::from_word, &words)?);
            }
            "matchBy" => {
                let mut by = rules.match_by.unwrap_or(MatchBy::NOTHING);
                for field in value.split(',') {
                    by = word(field, |field| by.with(field), &MatchBy::WORDS)?;
                }
                rules.match_by = Some(by);
            }
            "alsoUpdate" => {
                let mut named = rules.named.unwrap_or_default();
                for column in value.split(',') {
                    named = named.with(word(column, Column::from_word, &Column::NAMEABLE.map(Column::as_str))?);
                }
                rules.named = Some(named);
            }
            "joinDefaultChannels" => rules.joins_default_channels = Some(yes_or_no(value)?),
            _ => {
                return Err("there is no such parameter: they are format, name, upload, from, encoding, sheet, map, \
                            constant, ignoreUnknown, importIdFrom, refuse, users, rejects, workspace, onExisting, \
                            matchBy, onUsernameTaken, alsoUpdate and joinDefaultChannels"
                    .to_owned());
            }
        }
        Ok(())
    }
}

/// The rule of this word.
fn word<T>(word: &str, read: impl Fn(&str) -> Option<T>, allowed: &[&str]) -> Result<T, String> {
    read(word).ok_or_else(|| format!("must be one of {}", allowed.join(", ")))
}

/// The value of this name.
fn one_of<T: ValueEnum>(name: &str) -> Result<T, String> {
    T::from_str(name, true).map_err(|_| {
        let values = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        let names: Vec<String> = values.map(|value| value.get_name().to_owned()).collect();
        format!("must be one of {}", names.join(", "))
    })
}

fn yes_or_no(value: &str) -> Result<bool, String> {
    value.parse().map_err(|_| "must be true or false".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use utoipa::PartialSchema;

    use super::*;
    use crate::user_file::{Format, From, ImportIdFrom};

    fn names<T: ValueEnum>() -> Vec<String> {
        let values = T::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        values.map(|value| value.get_name().to_owned()).collect()
    }

    #[test]
    fn every_value_that_is_taken_is_described() {
        assert_eq!(json!(FileFormat::schema())["enum"], json!(names::<Format>()));
        assert_eq!(json!(FileSource::schema())["enum"], json!(names::<From>()));
        assert_eq!(json!(ImportIdSource::schema())["enum"], json!(names::<ImportIdFrom>()));
    }
}
