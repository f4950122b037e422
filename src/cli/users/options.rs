//! The flags that say how a file is to be read.

use clap::Args;

use super::super::CommandError;
use crate::user_file::{Format, From, ImportIdFrom, Options, Refusable, encoding_named};

#[derive(Debug, Args)]
#[command(next_help_heading = "Reading")]
pub(super) struct ReadingArgs {
    /// The format of the file, if neither its content nor its name shows it
    #[arg(long)]
    format: Option<Format>,

    /// Where the file comes from, if its names do not show it
    #[arg(long, value_name = "SOURCE")]
    from: Option<From>,

    /// Encoding of a text that is not UTF-8, such as windows-1252 or utf-16le
    #[arg(long)]
    encoding: Option<String>,

    /// Sheet of a workbook, instead of its first
    #[arg(long, value_name = "NAME")]
    sheet: Option<String>,

    /// Field that a column stands for; without a field the column is left out
    #[arg(long, value_name = "COLUMN=FIELD")]
    map: Vec<String>,

    /// Value of a field for users that have none
    #[arg(long, value_name = "FIELD=VALUE")]
    constant: Vec<String>,

    /// Leave out columns that stand for no field
    #[arg(long)]
    ignore_unknown: bool,

    /// What becomes the import id of a user without one
    #[arg(long, value_name = "FIELD")]
    import_id_from: Option<ImportIdFrom>,

    /// Make warnings of this kind errors
    #[arg(long, value_name = "KIND")]
    refuse: Vec<Refusable>,

    /// Refuse names and addresses that differ in letter case only; the same as --refuse case-twins
    #[arg(long)]
    refuse_case_twins: bool,
}

impl ReadingArgs {
    /// The kinds of the workspace's warnings that are to be errors, as parameters of `import.check`.
    pub(super) fn refused_by_workspace(&self) -> impl Iterator<Item = (String, String)> {
        let kinds = [
            ("case-twins", self.refuse_case_twins || self.refuse.contains(&Refusable::CaseTwins)),
            ("username", self.refuse.contains(&Refusable::Username)),
            ("domain", self.refuse.contains(&Refusable::Domain)),
        ];
        let refused = kinds.into_iter().filter(|(_, is_refused)| *is_refused);
        refused.map(|(kind, _)| ("refuse".to_owned(), kind.to_owned()))
    }

    /// # Errors
    /// With a sentence for a flag that cannot be used.
    pub(super) fn options(&self) -> Result<Options, CommandError> {
        let wrong = |flag: &'static str| move |reason: String| CommandError::Setting(format!("{flag}: {reason}"));
        let mut options = Options {
            format: self.format,
            from: self.from,
            sheet: self.sheet.clone(),
            ignores_unknown: self.ignore_unknown,
            import_id_from: self.import_id_from,
            refused: self.refuse.clone(),
            ..Options::default()
        };
        if let Some(name) = &self.encoding {
            options.encoding = Some(encoding_named(name).map_err(wrong("--encoding"))?);
        }
        if self.refuse_case_twins {
            options.refused.push(Refusable::CaseTwins);
        }
        self.map.iter().try_for_each(|text| options.assignments.map(text)).map_err(wrong("--map"))?;
        self.constant
            .iter()
            .try_for_each(|text| options.assignments.add_constant(text))
            .map_err(wrong("--constant"))?;
        Ok(options)
    }
}
