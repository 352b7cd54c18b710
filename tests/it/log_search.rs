//! The log is searched by text, by time of day and from a level upwards, on the page, by the API and in its export.

use cashout::config::LogLevel;
use cashout::logs::LogLine;
use cashout::store::StoreError;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::api::{Api, TOKEN};
use crate::signing_in::{VIEWER, signed_in, world};
use crate::world::World;

/// Stores lines: instant, level, message.
async fn log(world: &World, lines: Vec<(Timestamp, LogLevel, String)>) {
    let stored = world.context.store.write(move |writer| {
        for (at, level, message) in lines {
            let id = writer.next_id::<LogLine>()?;
            let line = LogLine::said(at, level, "cashout:transfer", message);
            writer.put(&LogLine { id, mirakl_id: Some(2001), ..line })?;
        }
        Ok::<_, StoreError>(())
    });
    stored.await.unwrap();
}

/// Makes a world with one line a minute from 03:10 to 03:14 (Paris) of the night of 2026-11-08, of rising levels.
async fn night() -> World {
    let world = world(&[&format!("dashboard.apiToken: {TOKEN}"), "hipay.timezone: Europe/Paris"]).await;
    let levels = [LogLevel::Debug, LogLevel::Info, LogLevel::Warning, LogLevel::Error, LogLevel::Critical];
    let begin: Timestamp = "2026-11-08T02:10:30Z".parse().unwrap();
    let lines = levels.into_iter().zip(0..).map(|(level, minute)| {
        (begin + SignedDuration::from_mins(minute), level, format!("Wallet 50200{minute} was NOT reached"))
    });
    log(&world, lines.collect()).await;
    world
}

fn levels(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|line| line["level"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minute_a_text_and_a_lowest_level_are_filtered_together() {
    let world = night().await;
    let appliance = world.serve().await;
    let api = Api::of(&appliance);
    for (query, expected) in [
        ("from=2026-11-08T03:12&to=2026-11-08T03:12", &["WARNING"][..]),
        ("from=2026-11-08T03:12&to=2026-11-08T03:13", &["ERROR", "WARNING"]),
        ("from=2026-11-08%2003:12&to=2026-11-08T03:12:30", &["WARNING"]),
        ("from=2026-11-08T03:12:31&to=2026-11-08T03:13:29", &[]),
        ("from=2026-11-08T02:12:30Z&to=2026-11-08T02:13:30Z", &["WARNING"]),
        ("from=2026-11-08T03&to=2026-11-08T03", &["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"]),
        ("from=2026-11-08&to=2026-11-08&level_from=WARNING", &["CRITICAL", "ERROR", "WARNING"]),
        ("level_from=WARNING&level=ERROR&mirakl_id=2001", &["ERROR"]),
        ("level_from=ERROR&level=WARNING", &[]),
        ("level_from=ERROR&action=cashout:transfer", &["CRITICAL", "ERROR"]),
        ("q=wallet%20502002", &["WARNING"]),
        ("q=not%20REACHED&level_from=ERROR", &["CRITICAL", "ERROR"]),
        ("q=not%20reached&sort=date&per_page=2", &["DEBUG", "INFO"]),
        ("q=no%20such%20text", &[]),
    ] {
        let list = api.get(&format!("logs?{query}")).await;
        assert_eq!(levels(&list), expected, "{query}");
        let total = if query.contains("per_page") { 5 } else { expected.len() };
        assert_eq!((&list["total"], &list["total_exact"]), (&json!(total), &json!(true)), "{query}");
    }
    for wrong in ["from=2026-11-08T25:00", "from=T03:12", "to=2026-11-08T03:12:30%2001:00", "level_from=LOUD"] {
        assert_eq!(api.refused(&format!("logs?{wrong}")).await.0, 400, "{wrong}");
    }
    assert_eq!(api.refused(&format!("logs?q={}", "x".repeat(201))).await.0, 400);
    // The other lists take a time of day too.
    assert_eq!(api.get("operations?from=2026-11-08T03:12").await["total"], 0);

    let viewer = signed_in(&appliance, VIEWER).await;
    let query = "q=wallet&level_from=ERROR&from=2026-11-08T03:13&to=2026-11-08T03:13";
    let page = viewer.ask("GET", &format!("/dashboard/logs?{query}")).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("502003") && !page.contains("502004") && page.contains("WARNING and above"), "{page}");
    assert!(page.contains("name=\"from\" value=\"2026-11-08T03:13\""), "{page}");
    let csv = viewer.ask("GET", &format!("/dashboard/logs.csv?{query}")).send().await.unwrap().text().await.unwrap();
    assert!(csv.lines().count() == 2 && csv.contains("502003"), "{csv}");
    // A day is the period from its first to its last minute.
    let page = viewer.ask("GET", "/dashboard/logs?from=2026-11-08&to=2026-11-08").send().await.unwrap();
    let page = page.text().await.unwrap();
    assert!(page.contains("value=\"2026-11-08T00:00\"") && page.contains("value=\"2026-11-08T23:59\""), "{page}");
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_hour_that_comes_twice_is_found_with_both_and_the_missing_one_with_none() {
    let world = night().await;
    for at in ["2026-10-25T00:30:10Z", "2026-10-25T01:30:10Z", "2026-03-29T01:30:10Z"] {
        log(&world, vec![(at.parse().unwrap(), LogLevel::Info, at.to_owned())]).await;
    }
    let appliance = world.serve().await;
    let api = Api::of(&appliance);
    assert_eq!(api.get("logs?from=2026-10-25T02:30&to=2026-10-25T02:30").await["total"], 2);
    // Clocks go from 02:00 to 03:00: 02:30 is what 03:30 is.
    assert_eq!(api.get("logs?from=2026-03-29T02:30&to=2026-03-29T02:30").await["total"], 1);
    appliance.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_search_through_too_many_lines_says_so_and_goes_on() {
    let world = world(&[&format!("dashboard.apiToken: {TOKEN}")]).await;
    let begin: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
    for part in 0..7_i64 {
        let lines = (0..3_000_i64).map(|number| {
            let number = part * 3_000 + number;
            let message = if number % 5_000 == 100 { "a needle" } else { "hay" };
            (begin + SignedDuration::from_secs(number), LogLevel::Info, format!("{message} {number}"))
        });
        log(&world, lines.collect()).await;
    }
    let appliance = world.serve().await;
    let api = Api::of(&appliance);
    // 21,000 lines: the search ends before the earliest of them.
    let first = api.get("logs?q=needle&per_page=3").await;
    assert_eq!((&first["total"], &first["total_exact"]), (&json!(4), &json!(false)), "{first}");
    let mut messages = Vec::new();
    let mut cursor = String::new();
    for page in 1..=5 {
        let list = api.get(&format!("logs?q=needle&per_page=3&page={page}{cursor}")).await;
        messages.extend(list["items"].as_array().unwrap().iter().map(|line| line["message"].clone()));
        match list["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(messages, ["a needle 20100", "a needle 15100", "a needle 10100", "a needle 5100", "a needle 100"]);
    let viewer = signed_in(&appliance, VIEWER).await;
    let page = viewer.ask("GET", "/dashboard/logs?q=needle").send().await.unwrap().text().await.unwrap();
    assert!(page.contains("Only a part of these lines was searched") && page.contains("rel=\"next\""), "{page}");
    // The export has all of them.
    let csv = viewer.ask("GET", "/dashboard/logs.csv?q=needle").send().await.unwrap().text().await.unwrap();
    assert_eq!(csv.lines().count(), 6, "{csv}");
    appliance.stop().await.unwrap();
}
