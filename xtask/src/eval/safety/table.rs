//! The report as tables for people.

use serde_json::Value;

/// Prints everything in `report`.
pub(super) fn print(report: &Value, names_wrong: bool) {
    println!("corpora of {}", report["data"].as_str().unwrap_or_default());
    for score in list(&report["scores"]) {
        print_score(score, names_wrong);
    }
    print_speeds(report);
    print_worst(report);
    print_construction(report);
}

fn print_score(score: &Value, names_wrong: bool) {
    println!("\n{}: {} rows", text(&score["file"]), score["rows"]);
    let corpora = score["corpora"].as_object().into_iter().flatten();
    let corpora: Vec<String> = corpora
        .map(|(name, rows)| format!("{name} {rows}"))
        .collect();
    println!("  from {}", corpora.join(", "));
    for (title, key) in [
        ("tier", "tiers"),
        ("family", "families"),
        ("source", "sources"),
    ] {
        println!(
            "  {title:<34} {:>6} {:>8}  {:<14} aim",
            "rows", "flagged", "rate"
        );
        // Hundreds of vendors have a row or two each: those without a miss are only counted.
        let is_told = |tally: &&Value| {
            let missed = tally["is_hit"].as_bool() == Some(true) && tally["rate"] != 1.0;
            let alarmed = tally["is_hit"].as_bool() == Some(false) && tally["rate"] != 0.0;
            missed || alarmed || count(&tally["rows"]) >= 5
        };
        let (told, rest): (Vec<&Value>, Vec<&Value>) = list(&score[key]).iter().partition(is_told);
        for tally in told {
            println!("  {}", tally_line(tally));
        }
        if !rest.is_empty() {
            println!("  {} more with fewer than 5 rows, none wrong", rest.len());
        }
    }
    if names_wrong {
        for (tier, ids) in score["wrong"].as_object().into_iter().flatten() {
            let ids: Vec<&str> = list(ids).iter().filter_map(Value::as_str).collect();
            println!("  wrong in {tier}: {}", ids.join(" "));
        }
    }
}

fn tally_line(tally: &Value) -> String {
    let is_hit = tally["is_hit"].as_bool().unwrap_or_default();
    let kind = if is_hit { "recall" } else { "false" };
    let rate = number(&tally["rate"]);
    let aim = match (&tally["aim"]["at_least"], &tally["aim"]["at_most"]) {
        (Value::Number(least), _) => format!("at least {least} {}", verdict(&tally["kept"])),
        (_, Value::Number(most)) => format!("at most {most} {}", verdict(&tally["kept"])),
        _ => String::new(),
    };
    let line = format!(
        "{:<34} {:>6} {:>8}  {kind:<7}{rate:>7.4} {aim}",
        text(&tally["name"]),
        count(&tally["rows"]),
        count(&tally["flagged"]),
    );
    line.trim_end().to_owned()
}

fn print_speeds(report: &Value) {
    let speeds = list(&report["speeds"]);
    let of_text = |name: &str| {
        speeds
            .iter()
            .filter(move |speed| speed["text"] == name)
            .collect::<Vec<_>>()
    };
    for name in ["prose", "code"] {
        let speeds = of_text(name);
        let bytes = speeds
            .first()
            .map_or(0, |speed| speed["bytes"].as_u64().unwrap_or(0));
        println!(
            "\n{name}, {} KiB on one core{:>29}  {:>9}  aim",
            bytes / 1024,
            "MB/s",
            "as wasm"
        );
        let scans = speeds.iter().filter(|speed| is_scan(speed));
        let peers = || speeds.iter().filter(|speed| !is_scan(speed));
        for speed in scans {
            let wasm = in_wasm(report, speed);
            let mb_per_s = number(&speed["mb_per_s"]);
            let beside: Vec<String> = peers()
                .map(|peer| {
                    format!(
                        "{:.2} of {}",
                        mb_per_s / number(&peer["mb_per_s"]),
                        text(&peer["scan"])
                    )
                })
                .collect();
            println!(
                "  {:<40} {mb_per_s:>9.0}  {:>9}  {}",
                text(&speed["scan"]),
                wasm.map_or("-".into(), |wasm| format!("{wasm:.0}")),
                aims(speed, mb_per_s, wasm)
            );
            println!("      {}", beside.join(", "));
        }
        for peer in peers() {
            println!(
                "  {:<40} {:>9.0}",
                text(&peer["scan"]),
                number(&peer["mb_per_s"])
            );
        }
    }
    let wasm = &report["wasm"];
    match wasm["left_out"].as_str() {
        Some(why) => println!("  WebAssembly was left out: {why}"),
        None => println!("  WebAssembly ran in {}", text(&wasm["runtime"])),
    }
}

fn aims(speed: &Value, mb_per_s: f64, wasm: Option<f64>) -> String {
    let mut said = Vec::new();
    if let Some(aim) = speed["aim_mb_per_s"].as_f64() {
        said.push(format!("at least {aim:.0} {}", kept(mb_per_s >= aim)));
    }
    if let Some(wasm) = wasm {
        let times = mb_per_s / wasm;
        said.push(format!(
            "wasm within 3x: {times:.1}x {}",
            kept(times <= 3.0)
        ));
    }
    said.join(", ")
}

fn print_worst(report: &Value) {
    let aim = number(&report["worst_aim_mb_per_s"]);
    println!(
        "\nslowest of {} hostile texts of 64 KiB and a search of {} s; aim at least {aim:.0} MB/s",
        report["hostile_texts"], report["search_seconds"]
    );
    println!(
        "  {:<10} {:>8} {:>9} {:>12}  text",
        "scan", "MB/s", "as wasm", "16x longer"
    );
    for worst in list(&report["worst"]) {
        let mb_per_s = number(&worst["mb_per_s"]);
        let wasm = in_wasm(report, worst).map_or("-".into(), |wasm| format!("{wasm:.0}"));
        println!(
            "  {:<10} {mb_per_s:>8.0} {wasm:>9} {:>11.2}x  {} {}",
            text(&worst["scan"]),
            number(&worst["growth"]),
            text(&worst["text"]),
            kept(mb_per_s >= aim)
        );
    }
}

fn print_construction(report: &Value) {
    let construction = &report["construction"];
    println!(
        "\nconstruction: {:.0} us (least {:.0}) of all tables in a new process; aim below {:.0} {}",
        number(&construction["us"]),
        number(&construction["least_us"]),
        number(&construction["aim_us"]),
        verdict(&construction["kept"])
    );
    if let Some(us) = report["wasm"]["construction_us"].as_f64() {
        println!("construction as wasm: {us:.0} us, with the engine's own first run");
    }
}

/// The speed of the same scan of the same text as WebAssembly.
fn in_wasm(report: &Value, speed: &Value) -> Option<f64> {
    let speeds = list(&report["wasm"]["speeds"]);
    let same = speeds
        .iter()
        .find(|other| other["scan"] == speed["scan"] && other["text"] == speed["text"]);
    same?["mb_per_s"].as_f64()
}

fn is_scan(speed: &Value) -> bool {
    ["injection", "secrets", "gate"].contains(&text(&speed["scan"]))
}

fn kept(is_kept: bool) -> &'static str {
    if is_kept { "kept" } else { "MISSED" }
}

fn verdict(value: &Value) -> &'static str {
    kept(value.as_bool().unwrap_or_default())
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn count(value: &Value) -> u64 {
    value.as_u64().unwrap_or_default()
}

fn number(value: &Value) -> f64 {
    value.as_f64().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_missed_aim_stands_out() {
        let tally = json!({"name": "hard", "is_hit": false, "rows": 200, "flagged": 8, "rate": 0.04,
            "aim": {"at_most": 0.03}, "kept": false});
        let line = tally_line(&tally);
        assert!(
            line.ends_with("false   0.0400 at most 0.03 MISSED"),
            "{line}"
        );
    }

    #[test]
    fn the_speed_as_wasm_is_the_one_of_the_same_scan_and_text() {
        let speed = |scan: &str, mb_per_s: f64| json!({"scan": scan, "text": "prose", "mb_per_s": mb_per_s});
        let report = json!({"wasm": {"speeds": [speed("gate", 1.0), speed("secrets", 2.0)]}});
        assert_eq!(in_wasm(&report, &speed("secrets", 9.0)), Some(2.0));
        assert_eq!(in_wasm(&report, &speed("other", 9.0)), None);
    }
}
