//! `cola map` in a real browser: Chromium without a window, driven through its DevTools protocol.
//!
//! The protocol runs over two pipes (`--remote-debugging-pipe`), one JSON message after the other with a zero byte
//! behind each, so that no port and no library is needed.

use super::*;
use serde_json::{Value, json};
use std::io::Write;
use std::process::{ChildStdin, ChildStdout};
use std::sync::mpsc::{Receiver, channel};

/// An answer comes in milliseconds; on a machine that is busy in seconds.
const PATIENCE: Duration = Duration::from_secs(120);

struct Browser {
    process: Running,
    to: ChildStdin,
    messages: Receiver<Value>,
    /// Of the page, once there is one.
    session: Option<String>,
    calls: u64,
    /// What the page's script failed with.
    exceptions: Vec<Value>,
    _profile: TempDir,
}

/// The browser that CHROMIUM names, or one of the usual names.
fn program() -> String {
    let named = std::env::var("CHROMIUM").into_iter();
    let usual = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"].map(String::from);
    let on_a_mac = ["Chromium", "Google Chrome"].map(|name| format!("/Applications/{name}.app/Contents/MacOS/{name}"));
    let starts = |program: &String| Command::new(program).arg("--version").output().is_ok_and(|o| o.status.success());
    let found = named.chain(usual).chain(on_a_mac).find(starts);
    found.expect(
        "this test needs Chromium: `make test` installs it (examples/setup.sh test), or set CHROMIUM to its path",
    )
}

impl Browser {
    fn open(page: &Path) -> Browser {
        let profile = tempfile::tempdir().expect("a temporary folder");
        // The browser reads from descriptor 3 and writes to 4.
        let line = "exec \"$0\" --headless --no-sandbox --disable-gpu --disable-quic --no-first-run --mute-audio \
                    --window-size=1200,900 --user-data-dir=\"$1\" --remote-debugging-pipe about:blank 3<&0 4>&1 1>&2";
        let mut process = Command::new("sh")
            .args(["-c", line, &program()])
            .arg(profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the browser starts");
        let (to, from) = (process.stdin.take().expect("piped"), process.stdout.take().expect("piped"));
        let (messages, exceptions) = (receive(from), Vec::new());
        let process = Running(process);
        let mut browser = Browser { process, to, messages, session: None, calls: 0, exceptions, _profile: profile };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let attach = json!({ "targetId": target["targetId"], "flatten": true });
        let session = browser.call("Target.attachToTarget", attach)["sessionId"].as_str().map(String::from);
        browser.session = session;
        browser.call("Runtime.enable", json!({}));
        browser.call("Page.navigate", json!({ "url": format!("file://{}", page.display()) }));
        browser.wait_for("document.readyState == 'complete' && document.querySelectorAll('#legend li').length > 0");
        browser
    }

    fn call(&mut self, method: &str, params: Value) -> Value {
        self.calls += 1;
        let mut message = json!({ "id": self.calls, "method": method, "params": params });
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.to.write_all(format!("{message}\0").as_bytes()).expect("the browser reads");
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let mut answer = self.messages.recv_timeout(left).unwrap_or_else(|e| panic!("{method}: {e}"));
            if answer["method"] == "Runtime.exceptionThrown" {
                self.exceptions.push(answer);
            } else if answer["id"] == self.calls {
                assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                return answer["result"].take();
            }
        }
    }

    /// The value of an expression of JavaScript.
    fn value(&mut self, expression: &str) -> Value {
        let mut answer = self.call("Runtime.evaluate", json!({ "expression": expression, "returnByValue": true }));
        assert!(answer["exceptionDetails"].is_null(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].take()
    }

    fn wait_for(&mut self, expression: &str) {
        let began = Instant::now();
        while self.value(expression) != json!(true) {
            assert!(began.elapsed() < PATIENCE, "it never came to {expression}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    fn mouse(&mut self, kind: &str, at: &Value) {
        let buttons = i32::from(kind == "mousePressed");
        let event =
            json!({ "type": kind, "x": at[0], "y": at[1], "button": "left", "buttons": buttons, "clickCount": 1 });
        self.call("Input.dispatchMouseEvent", event);
    }

    /// A press of a mouse button, as a hand makes it.
    fn click(&mut self, at: &Value) {
        for kind in ["mouseMoved", "mousePressed", "mouseReleased"] {
            self.mouse(kind, at);
        }
    }

    fn key(&mut self, key: &str) {
        for kind in ["keyDown", "keyUp"] {
            self.call("Input.dispatchKeyEvent", json!({ "type": kind, "key": key, "code": key }));
        }
    }
}

/// Reads messages on a thread of its own, so that a silent browser cannot hold up the test for ever.
fn receive(from: ChildStdout) -> Receiver<Value> {
    let (sender, messages) = channel();
    std::thread::spawn(move || {
        for message in BufReader::new(from).split(0).map_while(Result::ok) {
            let message = serde_json::from_slice(&message).expect("a message is JSON");
            if sender.send(message).is_err() {
                return;
            }
        }
    });
    messages
}

/// The middle of a point on the screen; of its neighbours none may lie over it.
const IN_FRONT: &str = "(() => {
    const middle = (mark) => { const r = mark.getBoundingClientRect(); return [r.x + r.width / 2, r.y + r.height / 2]; };
    const mark = [...document.querySelectorAll('.point')].find((m) => document.elementFromPoint(...middle(m)) == m);
    return { i: +mark.dataset.i, at: middle(mark) };
})()";

#[cfg(unix)]
#[test]
fn a_click_on_the_map_plays_the_clip() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let page = folder.path().join("map.html");
    let (run, task) = (trained().display(), sounds().display());
    let said = succeed(&format!("map {run} {task} --out {} --clusters 4", page.display()));
    assert!(said.contains("48 clips"), "{said}");

    let mut browser = Browser::open(&page);
    let points = "[...document.querySelectorAll('.point')]";
    assert_eq!(browser.value(&format!("{points}.length")), 48);
    let inside =
        "(m) => { const r = m.getBoundingClientRect(), s = document.getElementById('map').getBoundingClientRect();
        return r.width > 2 && r.left >= s.left && r.right <= s.right && r.top >= s.top && r.bottom <= s.bottom; }";
    assert_eq!(browser.value(&format!("{points}.every({inside})")), true, "every point is seen");
    assert_eq!(
        browser.value("document.querySelectorAll('#legend li').length"),
        4,
        "clusters first, they were asked for"
    );
    assert_eq!(
        browser.value("performance.getEntriesByType('resource').filter(r => !r.name.startsWith('data:')).length"),
        0
    );

    let point = browser.value(IN_FRONT);
    let name = browser.value(&format!("data.points[{}].name", point["i"]));
    browser.mouse("mouseMoved", &point["at"]);
    browser.wait_for(&format!("!tip.hidden && tip.textContent.includes({name})"));
    assert_eq!(browser.value("audio.currentSrc"), "", "nothing plays by itself");
    browser.click(&point["at"]);
    browser.wait_for("audio.currentTime > 0.05");
    assert_eq!(browser.value("audio.error"), Value::Null);
    assert_eq!(browser.value("at('name').textContent"), name);
    assert_eq!(browser.value("document.querySelectorAll('#nearest li').length"), 5);

    // the keyboard alone
    browser.value("audio.pause(); map.focus()");
    browser.wait_for("!document.querySelector('.playing')");
    let before = browser.value("[chosen, audio.src]");
    // At the edge of the map there is nothing further out.
    for key in ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"] {
        if browser.value("chosen") == before[0] {
            browser.key(key);
        }
    }
    browser.key("Enter");
    browser.wait_for("audio.currentTime > 0.05 && loaded == chosen");
    let after = browser.value("[chosen, audio.src]");
    assert!(after[0] != before[0] && after[1] != before[1], "another clip plays");

    // the other layout, the other colours
    let places = format!("JSON.stringify({points}.map((m) => m.style.cssText))");
    let tsne = browser.value(&places);
    let button =
        |name: &str| format!("[...document.querySelectorAll('button')].find((b) => b.textContent == '{name}')");
    browser.value(&format!("{}.click()", button("PCA")));
    assert_ne!(browser.value(&places), tsne);
    browser.value(&format!("{}.click()", button("label")));
    assert_eq!(browser.value("document.querySelectorAll('#legend li').length"), 6, "a label a family");

    assert!(browser.exceptions.is_empty(), "{:?}", browser.exceptions);
    assert!(browser.process.0.try_wait().expect("a child").is_none(), "the browser runs to the end");
}

#[test]
fn maps_that_cannot_be_made_are_refused_in_one_line() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (run, task) = (trained().display(), sounds().display());
    refuse(
        &output(&format!("map {run} {task} --out {}", path("none/map.html"))),
        &["none/map.html", "create it first"],
    );
    refuse(&output(&format!("map {run} {task}/test/bell/0003.wav --out {}", path("m.html"))), &["at least 3"]);
    refuse(&output(&format!("map {run} {} --out {}", path("gone"), path("m.html"))), &["gone"]);
    assert!(!Path::new(&path("m.html")).exists());
}
