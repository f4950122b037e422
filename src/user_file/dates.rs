//! Dates among values that are none: spreadsheets make a date of an id such as `3-1`.

/// Short names of months as English, German and French spreadsheets write them.
const MONTHS: [&str; 26] = [
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec", "mrz", "mär", "mai", "okt",
    "dez", "janv", "févr", "mars", "avr", "juin", "juil", "août", "sept", "déc",
];

/// Whether the text is a date as spreadsheets show one: `2024-03-01`, `1.3.2024`, `3/1/24`, `1-Mar`, `Mar-24`, `01. Mrz`.
pub(super) fn is_date(text: &str) -> bool {
    let separates = |sign: char| matches!(sign, '-' | '/' | '.' | ' ');
    let signs: Vec<char> = text.chars().filter(|sign| separates(*sign) && *sign != ' ').collect();
    if signs.is_empty() || signs.iter().any(|sign| *sign != signs[0]) {
        return false;
    }
    let parts: Vec<&str> = text.split(separates).filter(|part| !part.is_empty()).collect();
    match parts.as_slice() {
        [first, second, third] => {
            is_year(first, 4) && is_day_and_month(second, third)
                || is_day_and_month(first, second) && (is_year(third, 4) || is_year(third, 2))
        }
        [first, second] => {
            let is_named = |month: &str, other: &str| is_month_name(month) && (is_day(other) || is_year(other, 4));
            is_named(first, second) || is_named(second, first)
        }
        _ => false,
    }
}

fn is_year(text: &str, digits: usize) -> bool {
    text.len() == digits && number(text).is_some_and(|year| digits == 2 || (1900..2200).contains(&year))
}

/// A day and a month in either order, the month as a number or by its name.
fn is_day_and_month(one: &str, other: &str) -> bool {
    let is_month = |text: &str| is_month_name(text) || number(text).is_some_and(|month| (1..=12).contains(&month));
    is_day(one) && is_month(other) || is_month(one) && is_day(other)
}

/// A day of a month, or the last two digits of a year where only that is shown.
fn is_day(text: &str) -> bool {
    text.len() <= 2 && number(text).is_some()
}

fn is_month_name(text: &str) -> bool {
    MONTHS.contains(&text.to_lowercase().as_str())
}

fn number(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::is_date;

    #[test]
    fn dates_as_spreadsheets_show_them_are_told_from_ids() {
        for date in [
            "2024-03-01",
            "01.03.2024",
            "1.3.2024",
            "3/1/2024",
            "3/1/24",
            "1-Mar",
            "Mar-24",
            "01. Mrz",
            "01-mär",
            "2024/3/1",
        ] {
            assert!(is_date(date), "{date}");
        }
        for id in [
            "",
            "7",
            "007",
            "20240301",
            "1-2",
            "10.12",
            "a-1-2",
            "emp-3-1",
            "2024-13-45",
            "1.2.3",
            "192.168.1.10",
            "jan",
            "marta-1",
            "1-2/2024",
            "U01-MAR-X",
            "ann.lee",
            "5f2b-11ee-8c99",
            "+4915",
            "-",
            "1--",
            "99-99-9999",
        ] {
            assert!(!is_date(id), "{id}");
        }
    }
}
