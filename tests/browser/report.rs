//! `-o html`: what a reader sees and does.

use std::time::Instant;

use serde_json::json;

use crate::{
    Case,
    driver::Browser,
    pages::{self, PageFile},
};

pub const CASES: &[Case] = &[
    ("report: all findings are there, grouped, without a word on the console", all_is_there),
    ("report: grouping, filters and search change what is shown", filters),
    ("report: the address keeps what is shown", address),
    ("report: hostile names run nothing", hostile),
    ("report: 10,000 findings stay quick", large),
    ("report: a phone of 360 pixels needs no sideways scrolling", phone),
    ("report: without scripts it is a list", without_scripts),
    ("report: every control has a name, every text its contrast", accessible),
    ("report: on paper there are findings and no controls", on_paper),
];

const GROUPS: &str = "[...document.querySelectorAll('.group h2')].map((name) => name.textContent)";
const FINDINGS: &str = "document.querySelectorAll('.finding').length";
const SHOWN: &str = "document.getElementById('shown').textContent";

fn all_is_there(browser: &Browser) {
    let page = PageFile::of(&pages::platform());
    browser.open(&page.address());
    assert_eq!(browser.value(GROUPS), json!(["shop", "bank", "monitoring"]));
    assert_eq!(browser.value(FINDINGS), json!(21));
    assert_eq!(browser.text(SHOWN), "21 findings of 21");
    assert_eq!(browser.text("document.querySelector('.counts').textContent"), "4 denied9 injected");
    let first = "document.querySelector('.finding').innerText";
    assert_eq!(
        browser.text(&format!("{first}.replace(/\\s*\\n\\s*/g, '|')")),
        "Denied|container \"app\" has no memory limit|set resources.limits.memory, such as 256Mi|12|- name: app|\
         resource-limits · policy default · line 12"
    );
    assert_eq!(browser.value("document.querySelector('#findings table')"), json!(null));
    assert_eq!(browser.console(), [""; 0]);
    browser.picture("report");
    browser.scheme("dark");
    browser.picture("report-dark");
}

fn filters(browser: &Browser) {
    let page = PageFile::of(&pages::platform());
    browser.open(&page.address());
    let enter = |selector: &str, change: &str| browser.enter(selector, change);
    enter("[value=rule]", "it.checked = true");
    assert_eq!(browser.value(GROUPS), json!(["resource-limits", "image-tag", "runtime-sizing", "pod-identity"]));
    enter("[value=owner]", "it.checked = true");
    assert_eq!(
        browser.value(GROUPS),
        json!([
            "Deployment shop/api",
            "CronJob shop/nightly",
            "StatefulSet bank/ledger",
            "Deployment monitoring/exporter",
            "Deployment shop/web",
        ])
    );
    enter("[value=Deny]", "it.checked = true");
    assert_eq!(browser.text(SHOWN), "4 findings of 21");
    enter("[value=Warn]", "it.checked = true");
    assert_eq!(browser.text(SHOWN), "6 findings of 21");
    enter("[name=rule]", "it.value = 'image-tag'");
    assert_eq!(browser.text(SHOWN), "3 findings of 21");
    enter("[name=search]", "it.value = 'LEDGER bank'");
    assert_eq!(browser.value(GROUPS), json!(["StatefulSet bank/ledger"]));
    enter("[name=search]", "it.value = 'nowhere'");
    assert_eq!(browser.text("document.getElementById('findings').innerText"), "No finding matches.");
    browser.value("document.querySelector('[type=reset]').click()");
    browser.until("document.querySelectorAll('.finding').length === 21");
    assert_eq!(browser.console(), [""; 0]);
}

fn address(browser: &Browser) {
    let page = PageFile::of(&pages::platform());
    browser.open(&page.address());
    for (selector, change) in [
        ("[value=rule]", "it.checked = true"),
        ("[value=Warn]", "it.checked = true"),
        ("[value=Deny]", "it.checked = true"),
        ("[name=rule]", "it.value = 'image-tag'"),
        ("[name=search]", "it.value = 'registry.example/api:latest & co'"),
        ("[name=search]", "it.value = 'registry.example/'"),
    ] {
        browser.enter(selector, change);
    }
    let hash = browser.text("location.hash");
    assert_eq!(hash, "#search=registry.example%2F&group=rule&mode=Deny&mode=Warn&rule=image-tag");
    let shown = browser.text("document.querySelector('main').innerText");
    browser.open(&format!("{}{hash}", page.address()));
    assert_eq!(browser.text("document.querySelector('main').innerText"), shown);
    assert_eq!(browser.text(SHOWN), "3 findings of 21");
    browser.value("void (location.hash = '#group=owner&mode=Audit')");
    browser.until("document.getElementById('shown').textContent === '0 findings of 21'");
    browser.value("void (location.hash = '#group=constructor&mode=x&rule=nothing')");
    browser.until("document.getElementById('shown').textContent === '21 findings of 21'");
    assert_eq!(browser.console(), [""; 0]);
}

fn hostile(browser: &Browser) {
    let page = PageFile::of(&pages::hostile());
    for grouping in ["namespace", "rule", "owner"] {
        browser.open(&format!("{}#group={grouping}", page.address()));
        assert_eq!(browser.value(FINDINGS), json!(10), "{grouping}");
        let foreign = "document.querySelectorAll('main img, main a, main script:not(#report)').length";
        assert_eq!(browser.value(&format!("[typeof window.ran, {foreign}]")), json!(["undefined", 0]));
        assert_eq!(browser.console(), [""; 0], "{grouping}");
    }
    let name = browser.text("document.querySelector('h2 b').textContent");
    assert!(name.ends_with("<img src=x onerror='window.ran = 1'>"), "{name}");
}

/// Bounds for a machine that does much else; the figures are printed.
fn large(browser: &Browser) {
    let page = PageFile::of(&pages::large());
    let began = Instant::now();
    browser.open(&page.address());
    let opened = began.elapsed();
    assert_eq!(browser.text(SHOWN), "10,000 findings of 10,000");
    let search = browser.value(
        "(() => { const began = performance.now(); const it = document.querySelector('[name=search]'); \
         it.value = 'service-77'; it.dispatchEvent(new Event('input', {bubbles: true})); \
         document.body.offsetHeight; return performance.now() - began; })()",
    );
    let owners = browser.value(
        "(() => { const began = performance.now(); const it = document.querySelector('[name=search]'); it.value = ''; \
         document.querySelector('[value=owner]').click(); document.body.offsetHeight; return performance.now() - began; })()",
    );
    let elements = browser.value("document.querySelectorAll('*').length");
    println!(
        "10,000 findings: {} KiB, opened in {} ms, searched in {search} ms, grouped by 1,154 owners in {owners} ms, {elements} elements",
        page.bytes() / 1024,
        opened.as_millis()
    );
    assert!(page.bytes() < 4 << 20 && opened.as_secs() < 10, "{opened:?}");
    assert!(search.as_f64().unwrap() < 1_000.0 && owners.as_f64().unwrap() < 1_000.0);
    assert!(elements.as_u64().unwrap() < 10_000);

    assert_eq!(browser.value("document.querySelectorAll('.group').length"), json!(100));
    browser.value("document.querySelector('#findings > .more').click()");
    assert_eq!(browser.value("document.querySelectorAll('.group').length"), json!(200));
    browser.value("document.querySelectorAll('.group')[150].querySelector('summary').click()");
    browser.until("document.querySelectorAll('.group')[150].querySelectorAll('.finding').length > 0");
    assert_eq!(browser.console(), [""; 0]);
}

fn phone(browser: &Browser) {
    browser.size(360, 740);
    for (name, report) in [("platform", pages::platform()), ("hostile", pages::hostile()), ("large", pages::large())] {
        let page = PageFile::of(&report);
        for grouping in ["namespace", "rule", "owner"] {
            browser.open(&format!("{}#group={grouping}", page.address()));
            browser.value("document.querySelectorAll('details').forEach((group) => { group.open = true; })");
            assert_eq!(browser.value(WIDTH), json!(360), "{name} by {grouping}");
            if (name, grouping) == ("platform", "namespace") {
                browser.picture("report-phone");
            }
        }
        browser.scripts(false);
        browser.open(&page.address());
        browser.scripts(true);
        assert_eq!(browser.value(WIDTH), json!(360), "{name} without scripts");
    }
}

const WIDTH: &str = "document.documentElement.scrollWidth";

fn without_scripts(browser: &Browser) {
    let page = PageFile::of(&pages::platform());
    browser.scripts(false);
    browser.open(&page.address());
    let told = browser.told();
    for line in [
        "StaticText container \"app\" has no memory limit",
        "StaticText set resources.limits.memory, such as 256Mi",
        "StaticText deploy/shop/api.yaml:12",
        "StaticText a tab cannot indent",
    ] {
        assert!(told.iter().any(|said| said == line), "{line}: {told:#?}");
    }
    assert_eq!(told.iter().filter(|said| said.starts_with("row ")).count(), 22, "{told:#?}");
    assert!(!told.iter().any(|said| said.starts_with("searchbox")), "{told:#?}");
    browser.picture("report-without-scripts");
    let page = PageFile::of(&pages::large());
    browser.open(&page.address());
    assert!(browser.told().iter().any(|said| said.contains("and 9500 more findings")));
}

fn accessible(browser: &Browser) {
    let page = PageFile::of(&pages::platform());
    browser.open(&page.address());
    let told = browser.told();
    for line in [
        "searchbox Search",
        "radio Namespace",
        "checkbox Denied",
        "combobox Rule",
        "button Reset",
        "main ",
        "region Findings",
        "heading podfit report",
        "heading shop",
        "heading Deployment shop/api",
        "region Could not be judged",
    ] {
        assert!(told.iter().any(|said| said == line), "{line}: {told:#?}");
    }
    let nameless = ["searchbox ", "radio ", "checkbox ", "combobox ", "button ", "DisclosureTriangle "];
    assert!(!told.iter().any(|said| nameless.contains(&said.as_str())), "{told:#?}");
    for scheme in ["light", "dark"] {
        browser.scheme(scheme);
        browser.value("document.querySelector('[value=Deny]').click()");
        assert_eq!(browser.value(FAINT), json!([]), "{scheme}");
        browser.value("document.querySelector('[value=Deny]').click()");
        assert_eq!(browser.value(FAINT), json!([]), "{scheme}");
    }
}

/// Texts whose contrast is below the 4.5 of WCAG 2.2 AA (1.4.3).
pub const FAINT: &str = "(() => {
    const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
    const light = (colour) => {
        const [red, green, blue] = numbers(colour).map((part) => part / 255)
            .map((part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const behind = (element) => {
        for (; element; element = element.parentElement) {
            const colour = getComputedStyle(element).backgroundColor;
            if (numbers(colour)[3] !== 0) return colour;
        }
        return matchMedia('(prefers-color-scheme: dark)').matches ? 'rgb(18, 18, 18)' : 'rgb(255, 255, 255)';
    };
    return [...document.querySelectorAll('body *')].filter((element) => {
        const hasText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        if (!hasText || !element.checkVisibility() || element.tagName === 'SCRIPT') return false;
        const [one, other] = [light(getComputedStyle(element).color), light(behind(element))].sort((a, b) => b - a);
        return (one + 0.05) / (other + 0.05) < 4.5;
    }).map((element) => element.outerHTML.slice(0, 80));
})()";

fn on_paper(browser: &Browser) {
    let page = PageFile::of(&pages::large());
    browser.open(&page.address());
    browser.devtools("Emulation.setEmulatedMedia", &json!({"media": "print"}));
    browser.value("dispatchEvent(new Event('beforeprint'))");
    browser.until("[...document.querySelectorAll('details')].every((group) => group.open)");
    let hidden = "['#filters', '.more'].every((part) => !document.querySelector(part).checkVisibility())";
    assert_eq!(browser.value(hidden), json!(true));
    browser.devtools("Emulation.setEmulatedMedia", &json!({"media": ""}));
}
