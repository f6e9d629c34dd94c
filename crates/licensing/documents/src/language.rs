//! The two languages of the shop: how they write days and money.

use chrono::{Datelike as _, Days, NaiveDate};

/// The language of a document.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// Norwegian (bokmål).
    Nb,
    /// English.
    En,
}

const MONTHS_NB: [&str; 12] = [
    "januar",
    "februar",
    "mars",
    "april",
    "mai",
    "juni",
    "juli",
    "august",
    "september",
    "oktober",
    "november",
    "desember",
];
const MONTHS_EN: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];
const WEEKDAYS_NB: [&str; 7] = [
    "mandag", "tirsdag", "onsdag", "torsdag", "fredag", "lørdag", "søndag",
];
const WEEKDAYS_EN: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];

impl Language {
    /// Its tag (BCP 47).
    pub fn tag(self) -> &'static str {
        match self {
            Self::Nb => "nb",
            Self::En => "en",
        }
    }

    /// The text in this language.
    pub fn of<'a>(self, nb: &'a str, en: &'a str) -> &'a str {
        match self {
            Self::Nb => nb,
            Self::En => en,
        }
    }

    /// `5. juni 2026`
    pub(crate) fn day(self, day: NaiveDate) -> String {
        format!("{} {}", self.day_and_month(day), day.year())
    }

    /// `fredag 5. juni 2026`, or `5.–7. juni 2026`.
    pub fn days(self, first: NaiveDate, days: u8) -> String {
        let more = Days::new(u64::from(days.saturating_sub(1)));
        let last = first.checked_add_days(more).unwrap_or(first);
        if first == last {
            return format!("{} {}", self.weekday(first), self.day(first));
        }
        let begin = if first.year() != last.year() {
            format!("{} – ", self.day(first))
        } else if first.month() != last.month() {
            format!("{} – ", self.day_and_month(first))
        } else {
            format!("{}{}–", first.day(), self.of(".", ""))
        };
        begin + &self.day(last)
    }

    fn day_and_month(self, day: NaiveDate) -> String {
        let months = match self {
            Self::Nb => MONTHS_NB,
            Self::En => MONTHS_EN,
        };
        let month = usize::try_from(day.month0())
            .ok()
            .and_then(|month| months.get(month));
        format!(
            "{}{} {}",
            day.day(),
            self.of(".", ""),
            month.copied().unwrap_or_default()
        )
    }

    fn weekday(self, day: NaiveDate) -> &'static str {
        let weekdays = match self {
            Self::Nb => WEEKDAYS_NB,
            Self::En => WEEKDAYS_EN,
        };
        let index = usize::try_from(day.weekday().num_days_from_monday()).ok();
        index
            .and_then(|index| weekdays.get(index))
            .copied()
            .unwrap_or_default()
    }

    /// `1 234,50` or `1,234.50`, of an amount in øre.
    pub(crate) fn amount(self, ore: i64) -> String {
        let whole = (ore.unsigned_abs() / 100).to_string();
        let mut grouped = String::new();
        for (index, digit) in whole.chars().enumerate() {
            if index > 0 && (whole.len() - index).is_multiple_of(3) {
                grouped.push_str(self.of("\u{a0}", ","));
            }
            grouped.push(digit);
        }
        // The sign that typographers use, as wide as a digit.
        let sign = if ore < 0 { "\u{2212}" } else { "" };
        format!(
            "{sign}{grouped}{}{:02}",
            self.of(",", "."),
            ore.unsigned_abs() % 100
        )
    }

    /// `25 %`, or `12,5 %`, of a rate in hundredths of a percent.
    pub(crate) fn rate(self, hundredths: u32) -> String {
        let (whole, rest) = (hundredths / 100, hundredths % 100);
        if rest == 0 {
            return format!("{whole}\u{a0}%");
        }
        let digits = format!("{rest:02}");
        format!(
            "{whole}{}{}\u{a0}%",
            self.of(",", "."),
            digits.trim_end_matches('0')
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_money_are_written_as_each_language_does() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let (nb, en) = (Language::Nb, Language::En);
        assert_eq!(nb.days(day("2026-06-05"), 1), "fredag 5. juni 2026");
        assert_eq!(en.days(day("2026-06-05"), 1), "Friday 5 June 2026");
        assert_eq!(nb.days(day("2026-06-05"), 3), "5.–7. juni 2026");
        assert_eq!(en.days(day("2026-06-05"), 3), "5–7 June 2026");
        assert_eq!(nb.days(day("2026-06-30"), 3), "30. juni – 2. juli 2026");
        assert_eq!(
            nb.days(day("2026-12-31"), 2),
            "31. desember 2026 – 1. januar 2027"
        );
        assert_eq!(nb.days(NaiveDate::MAX, 2), nb.days(NaiveDate::MAX, 1));
        assert_eq!(nb.amount(123_450), "1\u{a0}234,50");
        assert_eq!(nb.amount(1_000_000_005), "10\u{a0}000\u{a0}000,05");
        assert_eq!(en.amount(-1_234_567), "\u{2212}12,345.67");
        assert_eq!(
            nb.amount(i64::MIN),
            "\u{2212}92\u{a0}233\u{a0}720\u{a0}368\u{a0}547\u{a0}758,08"
        );
        assert_eq!(nb.rate(2500), "25\u{a0}%");
        assert_eq!(
            (nb.rate(1250), en.rate(1111)),
            ("12,5\u{a0}%".into(), "11.11\u{a0}%".into())
        );
    }
}
