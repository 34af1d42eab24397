//! `time`: what the clock says, in a zone.

use jiff::{
    Timestamp,
    fmt::temporal::DateTimeParser,
    tz::{self, TimeZone},
};
use serde::Deserialize;
use serde_json::{Value, json};
use tau_core::{
    ids::UnixMillis,
    tool::{ToolClass, ToolOutput, ToolSpec},
};

use super::output::Fault;

pub(super) fn spec() -> ToolSpec {
    super::spec(
        "time",
        "Current date and time.",
        ToolClass::Read,
        json!({"timezone": {"type": "string", "description": "e.g. Europe/Berlin, default: the person's"}}),
        &[],
    )
}

#[derive(Deserialize)]
struct Arguments {
    timezone: Option<String>,
}

/// `home` is the zone of a person who names none.
pub(super) fn run(arguments: &Value, now: UnixMillis, home: TimeZone) -> Result<ToolOutput, Fault> {
    let wanted = super::arguments::<Arguments>(arguments)?.timezone;
    let zone = match &wanted {
        None => home,
        Some(wanted) => DateTimeParser::new()
            .parse_time_zone(wanted)
            .ok()
            .or_else(|| of_city(wanted))
            .ok_or_else(|| unknown_zone(wanted))?,
    };
    let now = i64::try_from(now.0)
        .ok()
        .and_then(|millis| Timestamp::from_millisecond(millis).ok())
        .ok_or_else(|| Fault::new("the clock is outside the calendar"))?
        .to_zoned(zone);
    let name = now
        .time_zone()
        .iana_name()
        .or(wanted.as_deref())
        .unwrap_or("local time");
    Ok(ToolOutput::ok(format!(
        "{} {name}",
        now.strftime("%Y-%m-%dT%H:%M:%S%:z %A")
    )))
}

/// The zone called after a city, where only one is: `Tokyo` is `Asia/Tokyo`.
fn of_city(wanted: &str) -> Option<TimeZone> {
    let city = wanted.trim().replace(' ', "_");
    let mut zones = tz::db().available().filter(|zone| {
        let mut parts = zone.as_str().rsplit('/');
        let named = parts
            .next()
            .is_some_and(|part| part.eq_ignore_ascii_case(&city));
        // Files of the system's database hold copies of all zones under these names.
        named && !zone.as_str().starts_with("posix/") && !zone.as_str().starts_with("right/")
    });
    let zone = zones.next()?;
    if zones.next().is_some() {
        return None;
    }
    tz::db().get(zone.as_str()).ok()
}

fn unknown_zone(wanted: &str) -> Fault {
    let plain = |text: &str| text.to_lowercase().replace(' ', "_");
    let name = plain(wanted);
    let city = |zone: &str| zone.rsplit('/').next().map(plain).unwrap_or_default();
    let mut near: Vec<(f64, String)> = tz::db()
        .available()
        .map(|zone| zone.as_str().to_owned())
        .map(|zone| {
            let whole = strsim::jaro_winkler(&name, &plain(&zone));
            let part = strsim::jaro_winkler(&city(&name), &city(&zone));
            (whole.max(part), zone)
        })
        .filter(|(score, _)| *score > 0.8)
        .collect();
    near.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
    let near: Vec<String> = near.into_iter().take(3).map(|(_, zone)| zone).collect();
    let fault = Fault::new(format!("{wanted} is not a time zone"));
    if near.is_empty() {
        fault.hint("use a name such as Europe/Berlin or an offset such as +02:00")
    } else {
        fault.hint(format!("did you mean {}?", near.join(" or ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: UnixMillis = UnixMillis(1_785_585_600_000);

    fn time(timezone: Option<&str>) -> Result<String, String> {
        let arguments = timezone.map_or(json!({}), |zone| json!({"timezone": zone}));
        match run(&arguments, NOON, TimeZone::UTC) {
            Ok(output) => Ok(output.text),
            Err(fault) => Err(fault.into_output().text),
        }
    }

    #[test]
    fn the_time_is_told_with_weekday_and_zone() {
        assert_eq!(
            time(None).unwrap(),
            "2026-08-01T12:00:00+00:00 Saturday UTC"
        );
        assert_eq!(
            time(Some("Europe/Berlin")).unwrap(),
            "2026-08-01T14:00:00+02:00 Saturday Europe/Berlin"
        );
        assert_eq!(
            time(Some("+05:30")).unwrap(),
            "2026-08-01T17:30:00+05:30 Saturday +05:30"
        );
    }

    #[test]
    fn a_city_that_names_one_zone_is_enough() {
        let told = time(Some("Berlin")).unwrap();
        assert_eq!(told, "2026-08-01T14:00:00+02:00 Saturday Europe/Berlin");
        let told = time(Some("new york")).unwrap();
        assert!(told.ends_with("America/New_York"), "{told}");
    }

    #[test]
    fn an_unknown_zone_is_answered_with_the_nearest_one() {
        assert!(
            time(Some("Europe/Berlim"))
                .unwrap_err()
                .contains("Europe/Berlin")
        );
        assert!(time(Some("12345")).unwrap_err().contains("such as"));
    }
}
