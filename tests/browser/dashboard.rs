//! The page on the admin port of a podfit that serves: what an operator sees of real reviews.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    thread,
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{Case, driver::Browser, report::FAINT};

pub const CASES: &[Case] = &[
    ("dashboard: a refusal is shown within a refresh", refusal),
    ("dashboard: hostile names run nothing", hostile),
    ("dashboard: without scripts it is a snapshot", without_scripts),
    ("dashboard: it says when podfit is gone", gone),
];

/// One more than the period of the script, for a busy machine.
const REFRESH_MS: u32 = 6_000;

const POLICY: &str = "
apiVersion: podfit.dev/v1alpha1
kind: SizingPolicy
metadata: {name: shop}
spec:
  priority: 10
  match: {namespaces: [shop-*]}
  imageTag: {mode: Warn}
  exemptions:
  - {reason: ticket 1, expires: 2020-01-31, rules: [image-tag], match: {namespaces: [shop-old]}}
  - {reason: ticket 2, rules: [image-tag], match: {namespaces: [shop-new]}}
---
apiVersion: podfit.dev/v1alpha1
kind: SizingPolicy
metadata: {name: platform}
spec: {resourceLimits: {}, imageTag: {}, podIdentity: {}, runtimeSizing: {}, probes: {mode: Audit}}
";

/// podfit, with the folder that holds its policy and CA.
struct Server {
    child: Child,
    folder: TempDir,
    admin: String,
    webhook: String,
}

impl Server {
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let file = |name: &str| folder.path().join(name);
        fs::write(file("policy.yaml"), POLICY).unwrap();
        let mut child = Command::new(env!("CARGO_BIN_EXE_podfit"))
            .args(["serve", "--listen=127.0.0.1:0", "--admin-listen=127.0.0.1:0", "--log-format=json"])
            .arg("--policy")
            .arg(file("policy.yaml"))
            .arg("--ca-out")
            .arg(file("ca.crt"))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let first: Value = serde_json::from_str(&lines.next().unwrap()).unwrap();
        thread::spawn(move || lines.for_each(drop));
        let admin = first["admin"].as_str().unwrap().to_owned();
        let address = first["webhook"].as_str().unwrap().split_once(' ').unwrap().0;
        let webhook = address.replace("127.0.0.1", "localhost");
        Self { child, folder, admin, webhook }
    }

    /// The review of a Pod without limits whose image has no tag.
    fn post(&self, phase: &str, name: &str) {
        let body = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/review-careless.json");
        let mut review: Value = serde_json::from_str(&fs::read_to_string(body).unwrap()).unwrap();
        review["request"]["object"]["metadata"]["name"] = json!(name);
        let file = self.folder.path().join("review.json");
        fs::write(&file, review.to_string()).unwrap();
        let answer = Command::new("curl")
            .args(["-sSf", "--cacert"])
            .arg(self.folder.path().join("ca.crt"))
            .arg("--data-binary")
            .arg(format!("@{}", file.display()))
            .arg(format!("{}/{phase}", self.webhook))
            .output()
            .unwrap();
        assert!(answer.status.success(), "{}", String::from_utf8_lossy(&answer.stderr));
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn rows(browser: &Browser, section: &str) -> Value {
    let rows = format!("document.querySelectorAll('#{section} tbody tr')");
    browser.value(&format!(
        "[...{rows}].map((row) => [...row.cells].map((cell) => cell.innerText.trim().replace(/\\s+/g, ' ')).join('|'))"
    ))
}

fn refusal(browser: &Browser) {
    let server = Server::start();
    server.post("mutate", "api-0");
    browser.open(&server.admin);
    assert_eq!(rows(browser, "refusals"), json!([]));
    assert_eq!(browser.text("document.querySelector('#refusals .nothing').textContent"), "None since the start.");
    assert_eq!(
        rows(browser, "policies"),
        json!([
            "shop|10|image-tag Warn|1 active 1 expired",
            "platform|0|resource-limits Deny image-tag Deny pod-identity Inject runtime-sizing Inject probes Audit|0 active",
        ])
    );

    server.post("validate", "api-1");
    server.post("validate", "api-1");
    browser.value(&format!(
        "new Promise((done) => {{ const end = performance.now() + {REFRESH_MS}; const look = () => \
         document.querySelector('#refusals b') || performance.now() > end ? done(true) : setTimeout(look, 10); look(); }})"
    ));
    let told = "[...document.querySelectorAll('#refusals td')].slice(1).map((cell) => cell.innerText.trim().replace(/\\s+/g, ' '))";
    assert_eq!(
        browser.value(told),
        json!([
            "Pod shop/api-1",
            "container has no CPU limit resource-limits container has no memory limit resource-limits \
             image has no fixed tag image-tag",
        ])
    );
    assert!(browser.text("document.querySelector('#refusals td').innerText").ends_with(" ago 2 times"));
    assert_eq!(
        rows(browser, "rules"),
        json!([
            "resource-limits|4|0|0|0",
            "image-tag|2|0|0|0",
            "pod-identity|0|0|4|2",
            "runtime-sizing|0|0|0|0",
            "probes|0|0|2|0",
        ])
    );
    assert_eq!(
        rows(browser, "reviews"),
        json!(["allowed|0|0", "patched|1|0", "warned|0|0", "denied|0|2", "failed|0|0"])
    );
    assert_eq!(browser.console(), [""; 0]);
    for scheme in ["dark", "light"] {
        browser.scheme(scheme);
        assert_eq!(browser.value(FAINT), json!([]), "{scheme}");
        browser.picture(&format!("dashboard-{scheme}"));
    }
    browser.size(360, 740);
    assert_eq!(browser.value("document.documentElement.scrollWidth"), json!(360));
    browser.picture("dashboard-phone");
}

fn hostile(browser: &Browser) {
    let evil = "</b><img src=x onerror='window.ran = 1'><script>window.ran = 1</script>";
    let server = Server::start();
    server.post("validate", evil);
    browser.open(&server.admin);
    let name = "document.querySelector('#refusals b').textContent";
    assert_eq!(browser.text(name), format!("shop/{evil}"));
    server.post("validate", &format!("again{evil}"));
    browser.until(&format!("{name}.startsWith('shop/again')"));
    let foreign = "document.querySelectorAll('main img, main script').length";
    assert_eq!(browser.value(&format!("[typeof window.ran, {foreign}]")), json!(["undefined", 0]));
    assert_eq!(browser.console(), [""; 0]);
}

fn without_scripts(browser: &Browser) {
    let server = Server::start();
    server.post("validate", "api-1");
    browser.scripts(false);
    browser.open(&server.admin);
    let told = browser.told();
    for line in ["heading Recent refusals", "StaticText shop/api-1", "StaticText image has no fixed tag"] {
        assert!(told.iter().any(|said| said == line), "{line}: {told:#?}");
    }
}

fn gone(browser: &Browser) {
    let server = Server::start();
    browser.open(&server.admin);
    drop(server);
    browser.until("document.getElementById('lead').textContent.startsWith('No answer since ')");
    assert_eq!(browser.value("document.body.classList.contains('stale')"), json!(true));
}
