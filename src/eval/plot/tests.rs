use super::*;
use crate::eval::metrics::Confusion;

/// Every tag is closed, so that the text can stand inside an HTML page; returns how often `<tag` occurs.
fn count(svg: &str, tag: &str) -> usize {
    assert!(svg.starts_with("<svg ") && svg.trim_end().ends_with("</svg>"));
    for open in ["svg", "text"] {
        let opened = svg.matches(&format!("<{open} ")).count();
        assert_eq!(opened, svg.matches(&format!("</{open}>")).count(), "{open}");
    }
    assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
    svg.matches(&format!("<{tag} ")).count()
}

#[test]
fn curves_have_a_faint_and_a_strong_line() {
    const LENGTH: u32 = 80;
    assert!(is_smoothed(LENGTH as usize) && !is_smoothed(LENGTH as usize - 1));
    let points = |scale: f64| (0..LENGTH).map(|x| (f64::from(x), scale / f64::from(x + 1))).collect();
    let mut plot = CurvePlot {
        title: "Loss & <more>".into(),
        x_label: "step".into(),
        curves: vec![("train".into(), points(1.0)), ("held out".into(), points(2.0))],
        ..CurvePlot::default()
    };
    plot.curves[0].1[3].1 = f64::NAN;
    let svg = plot.to_svg();
    assert!(svg.contains("width=\"520\" height=\"300\" viewBox=\"0 0 2080 1200\""));
    assert!(svg.contains("Loss &amp; &lt;more&gt;") && svg.contains("held out"));
    let strong = svg.matches("stroke-width=\"9\"").count();
    assert_eq!((count(&svg, "polyline") >= 4, strong), (true, 2));
    count(&CurvePlot::default().to_svg(), "polyline");
}

#[test]
fn confusion_has_a_cell_a_pair_and_names_twice() {
    let labels: Vec<_> = (0..30).map(|i| format!("label number {i} of many")).collect();
    let confusion = Confusion::new(labels, (0..300).map(|i| (i % 30, i % 7)));
    let svg = confusion_svg("Keywords", &confusion);
    // One more for the white sheet.
    assert_eq!(count(&svg, "rect"), 30 * 30 + 1);
    assert_eq!(svg.matches("label number 7 of many").count(), 2);
    count(&confusion_svg("", &Confusion::new(vec!["one".into()], [])), "rect");
}

#[test]
fn scatter_draws_finite_points_and_a_legend() {
    let label_names: Vec<_> = (0..45).map(|i| format!("l{i}")).collect();
    let mut plot = ScatterPlot {
        points: (0..45).map(|i| [f64::from(i), f64::from(i * i)]).collect(),
        labels: (0..45).collect(),
        label_names,
        ..ScatterPlot::default()
    };
    let svg = plot.to_svg();
    // Labels 0 to 9 and 40 to 44 are circles, as points and in the legend.
    assert_eq!(count(&svg, "circle"), 30);
    assert_eq!(count(&svg, "polygon"), 40);
    plot.points = vec![[f64::NAN, 1.0]; 45];
    assert_eq!(count(&plot.to_svg(), "circle"), 15);
    count(&ScatterPlot::default().to_svg(), "circle");
}

#[test]
fn bars_leave_out_what_was_not_measured() {
    let chart = BarChart {
        title: "Balanced accuracy".into(),
        series: vec!["untrained".into(), "pre-trained".into()],
        groups: vec![
            ("keywords".into(), vec![Some(0.65), None], Some(0.05)),
            ("music".into(), vec![Some(0.1), Some(1.0)], None),
        ],
        reference: "chance".into(),
    };
    let svg = chart.to_svg();
    for figure in ["65.0%", "10.0%", "100.0%", "chance"] {
        assert!(svg.contains(figure), "{figure}");
    }
    // The sheet, three bars, and three legend squares.
    assert_eq!(count(&svg, "rect"), 7);
    count(&BarChart::default().to_svg(), "rect");
}

#[test]
fn scaling_marks_forecasts_and_writes_every_batch() {
    let points = vec![(8, Some(40.5), 200_000_000), (16, Some(45.0), 300_000_000), (4096, None, 60_000_000_000)];
    let svg = ScalingPlot { title: "Scaling".into(), points }.to_svg();
    // a mark for each speed and each size, and the hole of the one that is forecast
    assert_eq!(count(&svg, "circle"), 2 + 3 + 1);
    assert!(["\n40.5\n", "\n4096\n", "\n100 MB\n", "\n100 GB\n"].iter().all(|text| svg.contains(text)), "{svg}");
    count(&ScalingPlot::default().to_svg(), "line");
}

#[test]
fn roofline_has_a_dot_for_what_computes() {
    let mut plot = RooflinePlot {
        title: "Kernels".into(),
        bandwidth_gb_per_s: 20.0,
        fma_gflop_per_s: 70.0,
        families: vec!["matmul".into(), "batch_norm".into()],
        kernels: vec![(0, 40.0, 30.0, Some(1)), (1, 0.5, 6.0, None), (1, 0.0, 0.0, None)],
    };
    let svg = plot.to_svg();
    assert_eq!(count(&svg, "circle"), 2);
    assert!(svg.contains("copy 20 GB/s") && svg.contains("multiply-add 70 GFLOP/s") && svg.contains("batch_norm"));
    plot.kernels.clear();
    assert_eq!(count(&plot.to_svg(), "circle"), 0);
}
