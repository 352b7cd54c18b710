//! Tests of the harness: it reports every fault, and its actions take effect in the page.

use std::sync::Arc;
use std::time::Duration;

use fantoccini::key::Key;

use crate::browser::Browser;
use crate::pages::{Pages, failure, page};
use crate::world::Site;

/// Returns the complaint at the end of a visit to `/`, which contains "A page".
async fn complaint_of(pages: &Pages) -> String {
    let browser = pages.window().start().await;
    browser.open("/").await;
    browser.sees("A page").await;
    failure(browser.done()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_appliance_answers_a_browser() {
    let site = Site::new().await;
    let browser = site.window().start().await;
    // A response that is no page has no icon, and the browser requests the default one.
    browser.allow_finding("/favicon.ico");
    browser.open("/healthz").await;
    browser.sees("\"status\":\"ok\"").await;
    assert_eq!(browser.address().await, "/healthz");

    browser.done().await;
    site.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_in_good_order_is_not_complained_of() {
    let pages = Pages::with(&[
        ("/", page("<link rel=stylesheet href=/a.css><script src=/a.js defer></script>", "<p id=said>nothing")),
        ("/a.css", "body { color: #222; background: #fff; min-height: 3000px }".to_owned()),
        ("/a.js", "document.querySelector('#said').textContent = 'the script ran';".to_owned()),
    ])
    .await;
    let browser = pages.window().start().await;
    browser.open("/").await;
    browser.sees("the script ran").await;
    assert_eq!(browser.title().await, "A page");
    let parts = browser.parts().await;
    let kinds: Vec<(&str, &str)> = parts.iter().map(|part| (part.path.as_str(), part.kind.as_str())).collect();
    assert_eq!(kinds, [("/", "navigation"), ("/a.css", "link"), ("/a.js", "script")]);
    assert!(parts.iter().all(|part| part.bytes > 0 && part.bytes < 2_000), "{parts:?}");
    browser.fits_the_window().await;
    browser.is_accessible().await;
    let picture = browser.screenshot("harness-good-order").await;
    let png = std::fs::read(&picture).unwrap();
    assert!(png.starts_with(b"\x89PNG"), "{}", picture.display());
    let height = u32::from_be_bytes(png[20..24].try_into().unwrap());
    assert!(height >= 3_000, "the whole page is on the picture, not only {height} pixels of it");
    assert!(picture.ends_with("screenshots/harness-good-order-1440-light.png"), "{}", picture.display());
    browser.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_and_warnings_in_the_console_are_complained_of() {
    for (script, told) in [
        ("console.error('it broke')", "it broke"),
        ("console.warn('it will break')", "it will break"),
        ("missing.call()", "missing is not defined"),
    ] {
        let pages = Pages::with(&[("/", page("<script src=/a.js></script>", "")), ("/a.js", script.to_owned())]).await;
        let said = complaint_of(&pages).await;
        assert!(said.contains("console") && said.contains(told), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_script_against_the_content_security_policy_is_complained_of() {
    let pages = Pages::with(&[("/", page("<script>document.title = 'inline'</script>", ""))]).await;
    let said = complaint_of(&pages).await;
    assert!(said.contains("Content Security Policy") && said.contains("inline script"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_to_another_host_is_complained_of() {
    let pages =
        Pages::under("img-src *", &[("/", page("", "<img alt='' src='http://elsewhere.example/a.png'>"))]).await;
    let said = complaint_of(&pages).await;
    assert!(said.contains("request to another host: http://elsewhere.example/a.png"), "{said}");

    // Another port of the same machine counts as another host.
    let other = Pages::with(&[]).await;
    let asks = page("", &format!("<img alt='' src='{}/asked'>", other.origin));
    let pages = Pages::under("img-src *", &[("/", asks)]).await;
    let said = complaint_of(&pages).await;
    assert!(said.contains(&format!("request to another host: {}/asked", other.origin)), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_request_is_complained_of_unless_it_is_expected() {
    let pages = Pages::with(&[("/", page("", "<img alt='' src='/missing.png'>"))]).await;
    let said = complaint_of(&pages).await;
    assert!(said.contains("/missing.png answered 404"), "{said}");

    let browser = pages.window().start().await;
    browser.expect_finding("404");
    browser.open("/no-such-page").await;
    browser.sees("no such page").await;
    browser.done().await;

    let browser = pages.window().start().await;
    browser.expect_finding("a thing that does not happen");
    browser.open("/asked").await;
    let said = failure(browser.done()).await;
    assert!(said.contains("expected, but did not happen: a thing that does not happen"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_moves_by_itself_is_complained_of_also_on_a_page_that_was_left() {
    let push = "
        requestAnimationFrame(() => requestAnimationFrame(() => {
            const push = document.createElement('p');
            push.textContent = 'pushes all the rest down';
            push.style.height = '300px';
            document.querySelector('#pushed').before(push);
        }));";
    let moving = page("<script src=/a.js defer></script>", "<p id=pushed>This stood further up.</p>");
    let pages = Pages::with(&[("/", moving), ("/a.js", push.to_owned()), ("/next", page("", "the next page"))]).await;
    let browser = pages.window().start().await;
    browser.open("/").await;
    browser.sees("pushes all the rest down").await;
    browser.open("/next").await;
    browser.sees("the next page").await;
    let said = failure(browser.done()).await;
    assert!(said.contains("layout shift: 0.") && said.contains("pushed"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_not_everybody_can_use_is_complained_of() {
    let faint = "<p class=faint>Hardly to be read</p><form action=/asked><input name=q></form>";
    let pages = Pages::with(&[
        ("/", page("<link rel=stylesheet href=/a.css>", faint)),
        ("/a.css", "body { background: #fff } .faint { color: #ccc }".to_owned()),
    ])
    .await;
    for window in [pages.window(), pages.window().without_javascript()] {
        let browser = Arc::new(window.start().await);
        browser.open("/").await;
        let looking = Arc::clone(&browser);
        let said = failure(async move { looking.is_accessible().await }).await;
        for told in ["color-contrast (serious)", "Hardly to be read", "label (critical)", "name=\"q\""] {
            assert!(said.contains(told), "{told} is missing in\n{said}");
        }
        // The page's own policy prevented neither the check nor anything else.
        Arc::into_inner(browser).unwrap().done().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_is_what_it_was_asked_to_be() {
    let look = "
        const is = query => matchMedia(query).matches;
        document.querySelector('#said').textContent = [
            `width ${innerWidth}`, is('(prefers-color-scheme: dark)') ? 'dark' : 'light',
            is('(prefers-reduced-motion: reduce)') ? 'still' : 'moving', navigator.language].join(', ');";
    let pages = Pages::with(&[
        ("/", page("<script src=/a.js defer></script>", "<p id=said>nothing</p>")),
        ("/a.js", look.to_owned()),
        ("/wide", page("<link rel=stylesheet href=/a.css>", "<p class=wide>a wide table</p>")),
        ("/a.css", ".wide { width: 500px }".to_owned()),
    ])
    .await;

    let browser = pages.window().start().await;
    browser.open("/").await;
    browser.sees("width 1440, light, moving, en").await;
    browser.done().await;

    let browser = pages.window().width(390).language("fr").dark().reduced_motion().start().await;
    browser.open("/").await;
    browser.sees("width 390, dark, still, fr").await;
    browser.fits_the_window().await;
    assert!(browser.download("/asked").await.text().ends_with("\nfr"), "the browser asks for French");
    let picture = browser.screenshot("harness-window").await;
    assert!(picture.ends_with("harness-window-390-dark.png"), "{}", picture.display());

    let browser = Arc::new(browser);
    browser.open("/wide").await;
    browser.sees("a wide table").await;
    let looking = Arc::clone(&browser);
    let said = failure(async move { looking.fits_the_window().await }).await;
    assert!(said.contains("in a window of 390"), "{said}");
    Arc::into_inner(browser).unwrap().done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_javascript_a_page_can_still_be_used() {
    let pages = Pages::with(&[
        ("/", page("<script src=/a.js></script>", "<noscript>Scripts are off</noscript><a href=/form>To the form</a>")),
        ("/a.js", "document.title = 'it ran';".to_owned()),
        (
            "/form",
            page("", "<form action=/done><label>Login <input name=login></label><button>Sign in</button></form>"),
        ),
        ("/done", page("", "Signed in")),
    ])
    .await;
    let browser = pages.window().without_javascript().start().await;
    browser.open("/").await;
    browser.sees("Scripts are off").await;
    assert_eq!(browser.title().await, "A page");
    browser.click("To the form").await;
    browser.fill("Login", "technical").await;
    browser.is_accessible().await;
    browser.click("Sign in").await;
    browser.sees("Signed in").await;
    assert_eq!(browser.address().await, "/done?login=technical");
    let asked = browser.download("/asked?it").await;
    assert_eq!((asked.status, asked.content_type.as_str()), (200, "text/plain; charset=utf-8"));
    assert_eq!(asked.disposition, "attachment; filename=\"asked.txt\"");
    assert!(asked.text().starts_with("it\nshop=7\n"), "{asked:?}");
    browser.open("/").await;
    assert_eq!(browser.title().await, "A page", "scripts are still off");
    browser.done().await;
}

/// Opens a page with common elements.
async fn a_busy_page() -> (Pages, Browser) {
    let things = "
        <nav aria-label=Pages><a href=/>Vendors</a> <a href='/'>Vendors</a></nav>
        <form action=/ id=filter>
            <label for=login>Login</label> <input id=login name=login value=former>
            <label>Since <input type=date name=since></label>
            <label for=status>Status</label>
            <select id=status name=status><option value=''>All</option><option value=w>warning</option></select>
            <label><input type=checkbox name=late value=1> Only late</label>
            <button>Filter</button>
        </form>
        <button aria-label='Close the message' id=close>&times;</button>
        <table id=table_vendor><thead><tr><th>Mirakl ID<th>Message</tr></thead><tbody>
            <tr><td>7<td><button class=show>Show message</button> <span hidden>The wallet is blocked</span>
            <tr><td>8<td><button class=show>Show
                message</button> <span hidden>No bank details</span>
        </tbody></table>";
    let script = "
        document.querySelectorAll('.show').forEach(button => button.addEventListener('click', () =>
            setTimeout(() => { button.nextElementSibling.hidden = false }, 100)));
        document.querySelector('#close').addEventListener('click', event => event.target.remove());";
    let pages =
        Pages::with(&[("/", page("<script src=/a.js defer></script>", things)), ("/a.js", script.to_owned())]).await;
    let browser = pages.window().patience(Duration::from_secs(2)).start().await;
    browser.open("/").await;
    (pages, browser)
}

#[tokio::test(flavor = "multi_thread")]
async fn things_are_found_by_what_is_written_on_them() {
    let (_pages, browser) = a_busy_page().await;
    assert_eq!(browser.value("Login").await, "former");
    browser.fill("Login", "shop é 7").await;
    browser.fill("Since", "2026-11-21").await;
    browser.choose("Status", "warning").await;
    assert_eq!(browser.value("Status").await, "warning");
    browser.click("Only late").await;
    browser.click("Filter").await;
    browser.is_at("/?login=shop+%C3%A9+7&since=2026-11-21&status=w&late=1").await;

    // Two links to the same page are equivalent.
    browser.click("Vendors").await;
    browser.is_at("/").await;
    browser.back().await;
    assert!(browser.address().await.starts_with("/?login"));
    browser.reload().await;

    assert_eq!(browser.columns("table_vendor").await, ["Mirakl ID", "Message"]);
    assert_eq!(browser.table("table_vendor").await, [["7", "Show message"], ["8", "Show message"]]);
    browser.click_in("8", "Show message").await;
    browser.sees("No bank details").await;
    browser.does_not_see("The wallet is blocked").await;
    assert_eq!(browser.table("table_vendor").await[1], ["8", "Show message No bank details"]);

    browser.click("Close the message").await;
    assert_eq!(browser.count("#close").await, 0);
    assert_eq!(browser.attribute("nav", "aria-label").await.as_deref(), Some("Pages"));
    assert_eq!(browser.attribute("nav", "title").await, None);
    assert_eq!(browser.style("body", "color").await, "rgb(0, 0, 0)");
    browser.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_gets_everywhere() {
    let (_pages, browser) = a_busy_page().await;
    assert_eq!(browser.focused().await, "");
    for name in ["Vendors", "Vendors", "Login"] {
        browser.press(Key::Tab).await;
        assert_eq!(browser.focused().await, name);
    }
    browser.type_in("typed").await;
    browser.press(Key::Enter).await;
    browser.is_at("/?login=typed&since=&status=").await;
    browser.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_is_told_with_what_is() {
    let (_pages, browser) = a_busy_page().await;
    let browser = Arc::new(browser);
    let (missing, twice, unread, list) =
        (Arc::clone(&browser), Arc::clone(&browser), Arc::clone(&browser), Arc::clone(&browser));
    // One after the other: they use the same window.
    let said = failure(async move { missing.click("Export").await }).await;
    assert!(said.contains("nothing is called \"Export\"") && said.contains("Close the message"), "{said}");
    let said = failure(async move { twice.click("Show message").await }).await;
    assert!(said.contains("2 are called \"Show message\": say in which part of the page"), "{said}");
    let said = failure(async move { unread.sees("Paid in full").await }).await;
    assert!(said.contains("\"Paid in full\" is not to be seen") && said.contains("Only late"), "{said}");
    let picture = said.lines().find_map(|line| line.strip_prefix("picture: ")).unwrap();
    assert!(std::fs::exists(picture).unwrap(), "{picture}");
    let said = failure(async move { list.choose("Status", "success").await }).await;
    assert!(said.contains("\"Status\" does not offer \"success\""), "{said}");
    Arc::into_inner(browser).unwrap().done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_that_forgets_to_ask_for_complaints_fails() {
    let pages = Pages::with(&[]).await;
    let browser = pages.window().start().await;
    let said = failure(async move { drop(browser) }).await;
    assert!(said.contains("ends with browser.done().await"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_do_not_share_their_cookies() {
    let pages = Pages::with(&[("/", page("", "hello"))]).await;
    let one = pages.window().start().await;
    one.open("/").await;
    let other = pages.window().start_beside(&one).await;
    other.open("/asked").await;
    assert!(one.download("/asked").await.text().contains("shop=7"));
    other.open("/healthz").await;
    other.expect_finding("404");
    assert!(!other.download("/asked").await.text().contains("shop=7"));
    one.done().await;
    other.done().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_process_stays_behind_a_test_however_it_ends() {
    let pages = Pages::with(&[("/", page("", "hello"))]).await;
    for fails in [false, true] {
        let browser = pages.window().start().await;
        browser.open("/").await;
        let group = browser.group();
        assert!(living(group) > 3, "Chromium is several processes");
        if fails {
            failure(async move {
                browser.open("/").await;
                panic!("the test failed")
            })
            .await;
        } else {
            browser.done().await;
        }
        // Other tests of this process may use the same driver; then they end it.
        if std::env::var_os("NEXTEST").is_some() {
            tokio::time::timeout(Duration::from_secs(10), async {
                while living(group) > 0 {
                    tokio::time::sleep(crate::actions::GLANCE).await;
                }
            })
            .await
            .unwrap_or_else(|_| panic!("{} processes are left", living(group)));
        }
    }
}

/// Returns the number of processes of a group that have not ended.
fn living(group: u32) -> usize {
    let group = group.to_string();
    let processes = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let of_group = |stat: &String| {
        // The name, in parentheses, may contain anything; after it: state, parent, group.
        let mut fields = stat.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ');
        fields.next() != Some("Z") && fields.nth(1) == Some(group.as_str())
    };
    processes.filter_map(|one| std::fs::read_to_string(one.path().join("stat")).ok()).filter(of_group).count()
}
