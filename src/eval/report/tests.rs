use super::*;
use crate::eval::heatmap::heatmap_png;
use crate::eval::retrieval::Retrieval;
use crate::train::codes::CodesReport;
use crate::train::config::Method;

fn record(step: u64) -> StepMetrics {
    StepMetrics {
        step,
        epoch: 0,
        loss: 4.0 / step as f32,
        accuracy: 1.0 - 1.0 / step as f32,
        lr: 1e-3,
        segments_per_second: 12.0,
        wait_percent: 0.0,
        grad_norm: None,
        effective_rank: None,
        alignment: None,
        uniformity: None,
        held_out_loss: None,
        held_out_accuracy: None,
    }
}

fn score(representation: &str, balanced_accuracy: f64) -> ProbeScore {
    ProbeScore {
        task: "birds & <beasts>".into(),
        representation: representation.into(),
        accuracy: 0.5,
        balanced_accuracy,
        labels: 4,
        test_clips: 1200,
    }
}

fn codes() -> CodesReport {
    CodesReport {
        explained_by_vectors: 0.913,
        explained_by_codes: 0.7,
        used: 3,
        perplexity: 2.6,
        counts: vec![10, 0, 25, 5],
        inertia: vec![3.0, 2.0],
    }
}

fn full() -> Report {
    let nasty = "<script>alert('x')</script> & \"co\".wav";
    Report {
        title: nasty.into(),
        intro: Some(nasty.into()),
        training: Some(Training {
            steps: (1..=200).map(record).collect(),
            batch: 64,
            method: Method::Cola,
            candidates: 64,
        }),
        codes: Some(codes()),
        probes: vec![score("untrained encoder", 0.4), score("pre-trained", 0.6)],
        neighbour_scores: vec![NeighbourScore {
            task: nasty.into(),
            representation: "pre-trained".into(),
            knn_accuracy: Some(0.612),
            test_clips: 1200,
            retrieval: Some(Retrieval {
                precision_at_1: 0.7,
                precision_at_5: 0.6,
                precision_at_10: 0.5,
                mean_average_precision: 0.4,
                chance: 0.25,
                queries: 1190,
            }),
        }],
        figures: Vec::new(),
        tables: vec![Table {
            title: nasty.into(),
            note: nasty.into(),
            header: vec![nasty.into()],
            rows: vec![vec![nasty.into()], vec!["71.2 ± 0.4".into()]],
        }],
        confusions: vec![(nasty.into(), Confusion::new(vec![nasty.into(), "b".into()], [(0, 1)]))],
        map: Some(ScatterPlot {
            title: nasty.into(),
            points: vec![[0.0, 1.0], [2.0, 3.0]],
            labels: vec![0, 0],
            label_names: vec![nasty.into()],
            ..ScatterPlot::default()
        }),
        neighbours: vec![NeighbourRow { name: nasty.into(), nearest: vec![(nasty.into(), 0.75)] }],
        clips: vec![ClipPicture { name: nasty.into(), seconds: 0.98, png: heatmap_png(&[0.0, 1.0], 2, 1, 1) }],
        config_toml: Some("recipe = \"standard\" # <b>\n".into()),
        environment: vec![("adapter".into(), nasty.into())],
    }
}

#[test]
fn every_part_is_on_the_page() {
    let html = full().to_html();
    for part in [
        "<h2>Training</h2>",
        "<h2>Linear probes</h2>",
        "<h2>Confusions</h2>",
        "<h2>Map of the embeddings</h2>",
        "<h2>Nearest neighbours and retrieval</h2>",
        "<td>61.2%</td><td>70.0%</td><td>60.0%</td><td>50.0%</td><td>40.0%</td><td>25.0%</td><td>1,190</td>",
        "<h2>Examples of nearest neighbours</h2>",
        "<h2>Clips</h2>",
        "<h2>Configuration</h2>",
        "<h2>Made with</h2>",
        "pre-trained (60.0%) is ahead, before untrained encoder (40.0%); chance is 25.0%",
        "In 200 steps of 64 clips the loss went from",
        "<b>25,600</b> segments seen",
        "<tr class=\"best\"><td>birds &amp; &lt;beasts&gt;</td><td>pre-trained</td>",
        "data:image/png;base64,iVBORw0KGgo",
        "recipe = &quot;standard&quot; # &lt;b&gt;",
        "<small>0.75</small>",
        "<td>71.2 ± 0.4</td>",
    ] {
        assert!(html.contains(part), "{part}");
    }
}

#[test]
fn text_from_outside_never_becomes_markup() {
    let html = full().to_html();
    assert!(!html.contains("<script") && !html.contains("\"co\".wav"));
    assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt; &amp; &quot;co&quot;.wav"));
}

#[test]
fn the_page_asks_for_nothing_from_outside() {
    let html = full().to_html();
    let page = html.replace("http://www.w3.org/2000/svg", "");
    for outside in ["http:", "https:", "url(", "@import", "<link", "<script"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn every_element_is_closed() {
    let html = full().to_html();
    for tag in [
        "html",
        "head",
        "body",
        "main",
        "header",
        "footer",
        "section",
        "figure",
        "figcaption",
        "table",
        "thead",
        "tbody",
        "tr",
        "td",
        "th",
        "div",
        "ul",
        "li",
        "p",
        "pre",
        "dl",
        "dt",
        "dd",
        "svg",
        "text",
        "small",
        "b",
        "i",
    ] {
        let opened = html.matches(&format!("<{tag}>")).count() + html.matches(&format!("<{tag} ")).count();
        assert_eq!(opened, html.matches(&format!("</{tag}>")).count(), "{tag}");
    }
}

#[test]
fn missing_parts_are_left_out() {
    let report = Report {
        title: "empty".into(),
        training: Some(Training { steps: vec![], batch: 8, method: Method::Cola, candidates: 8 }),
        ..Report::default()
    };
    let html = report.to_html();
    assert!(html.contains("<h1>empty</h1>") && !html.contains("<h2>") && !html.contains("summary\">"));
    assert_eq!(report.summary(), "");
}

#[test]
fn one_step_is_enough_for_a_page() {
    let training = Training { steps: vec![record(1)], batch: 8, method: Method::Cola, candidates: 8 };
    let text = training.in_words().unwrap();
    assert!(text.contains("from 4.00 to 4.00"), "{text}");
    let report = Report { training: Some(training), ..Report::default() };
    assert!(report.to_html().contains("<h2>Training</h2>"));
}

#[test]
fn thousands_are_grouped() {
    let text = [0, 999, 1000, 1_234_567].map(grouped);
    assert_eq!(text, ["0", "999", "1,000", "1,234,567"]);
}

#[test]
fn a_next_code_run_is_told_in_its_own_words() {
    let steps = (1..=200).map(record).collect();
    let training = Training { steps, batch: 64, method: Method::Nextcode, candidates: 4 };
    let report = Report { training: Some(training), codes: Some(codes()), ..Report::default() };
    let (html, text) = (report.to_html(), report.summary());
    assert!(
        text.contains("share of codes that are foretold, among 4, from") && text.contains("chance 25.0%"),
        "{text}"
    );
    for part in
        ["Loss of the next code", "Accuracy of the next code", "3 of 4 codes are in use", "91.3%", "Use of the codes"]
    {
        assert!(html.contains(part), "{part}");
    }
    assert!(!html.contains("other half") && !html.contains("ontrastive"));
}
