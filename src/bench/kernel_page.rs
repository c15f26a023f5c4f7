//! What people read of `bench kernels`: lines, a table, a page with the roofline.

use super::kernels::{CaseTime, Change, KernelReport, Row, TOLERANCE};
use super::peaks::Peaks;
use crate::eval::plot::RooflinePlot;
use crate::eval::report::{Report, Table};

/// Kernels that have a number in the plot.
const NUMBERED: usize = 20;
/// What takes less than this share of the slowest one's time is not drawn.
const DRAWN: f64 = 0.01;

/// Names of the columns of [`csv_rows`].
pub const CSV_HEADER: [&str; 14] = [
    "case",
    "kernel",
    "calls",
    "median_ms",
    "lower_ms",
    "upper_ms",
    "cold_ms",
    "bytes",
    "flops",
    "gb_per_s",
    "gflop_per_s",
    "share_of_roof",
    "bound",
    "error",
];

/// The line above all cases.
pub fn heading() -> String {
    format!(
        "{:>10} {:>5} {:>10} {:>8} {:>8} {:>6} {:>10}",
        "ms", "±%", "cold ms", "GB/s", "GFLOP/s", "roof%", "bound by"
    )
}

/// A case and its kernels.
pub fn lines(case: &CaseTime, peaks: &Peaks) -> String {
    let wrong = match case.is_right() {
        true => String::new(),
        false => format!("  WRONG: off the portable kernels by {:.1e}, over {TOLERANCE:.0e}", case.error),
    };
    let (ms, spread, cold) = (case.warm.median_ms, 100.0 * case.warm.spread(), case.cold.median_ms);
    let mut text = format!("{ms:>10.3} {spread:>5.1} {cold:>10.3} {:>35}  {}{wrong}\n", "", case.name);
    for row in &case.kernels {
        let (gb, gflop, roof) = (row.gb_per_s(), row.gflop_per_s(), 100.0 * row.share_of_roof(peaks));
        text.push_str(&format!(
            "{:>10.3} {:>5.1} {:>10} {gb:>8.2} {gflop:>8.1} {roof:>6.1} {:>10}      {}\n",
            row.time.median_ms,
            100.0 * row.time.spread(),
            "",
            row.bound(peaks),
            row.name
        ));
    }
    text
}

/// A line for each case that two reports have.
pub fn change_lines(changes: &[Change]) -> String {
    let line = |change: &Change| {
        let [before, now] = change.ms;
        let sure = if change.is_clear { "" } else { "  within the spread" };
        format!("{:>6.2}x {before:>10.3} {now:>10.3}  {}{sure}\n", change.ratio(), change.name)
    };
    format!("{:>7} {:>10} {:>10}\n", "time", "before ms", "now ms") + &changes.iter().map(line).collect::<String>()
}

/// A row a case, whose kernel is empty, and a row a kernel.
pub fn csv_rows(report: &KernelReport) -> Vec<[String; 14]> {
    let of_case = |case: &CaseTime| {
        let numbers =
            |time: &super::kernels::Sample| [time.median_ms, time.lower_ms, time.upper_ms].map(|ms| format!("{ms:.4}"));
        let [median, lower, upper] = numbers(&case.warm);
        let empty = String::new;
        let mut rows = vec![[
            case.name.clone(),
            empty(),
            empty(),
            median,
            lower,
            upper,
            format!("{:.4}", case.cold.median_ms),
            empty(),
            empty(),
            empty(),
            empty(),
            empty(),
            empty(),
            format!("{:.2e}", case.error),
        ]];
        rows.extend(case.kernels.iter().map(|row| {
            let [median, lower, upper] = numbers(&row.time);
            [
                case.name.clone(),
                row.name.clone(),
                row.calls.to_string(),
                median,
                lower,
                upper,
                empty(),
                row.bytes.to_string(),
                row.flops.to_string(),
                format!("{:.3}", row.gb_per_s()),
                format!("{:.3}", row.gflop_per_s()),
                format!("{:.4}", row.share_of_roof(&report.peaks)),
                row.bound(&report.peaks).into(),
                empty(),
            ]
        }));
        rows
    };
    report.cases.iter().flat_map(of_case).collect()
}

/// The page: the roofline with a dot a kernel, and all kernels, slowest first.
pub fn page(report: &KernelReport) -> Report {
    let peaks = &report.peaks;
    let mut rows: Vec<(&CaseTime, &Row)> =
        report.cases.iter().flat_map(|case| case.kernels.iter().map(move |row| (case, row))).collect();
    rows.sort_by(|a, b| b.1.time.median_ms.total_cmp(&a.1.time.median_ms));
    let mut families: Vec<String> = rows.iter().map(|(_, row)| family(&row.name)).collect();
    families.sort_unstable();
    families.dedup();
    let dot = |(i, (_, row)): (usize, &(&CaseTime, &Row))| {
        let family = families.binary_search(&family(&row.name)).expect("collected above");
        let number = (i < NUMBERED).then_some(i + 1);
        (family, row.flops as f64 / row.bytes.max(1) as f64, row.gflop_per_s(), number)
    };
    let least_ms = rows.first().map_or(0.0, |(_, slowest)| DRAWN * slowest.time.median_ms);
    let plot = RooflinePlot {
        title: format!(
            "{}, {} kernels, {} segments",
            report.environment.adapter, report.environment.tier, report.segments
        ),
        bandwidth_gb_per_s: peaks.bandwidth_gb_per_s,
        fma_gflop_per_s: peaks.fma_gflop_per_s,
        kernels: rows.iter().enumerate().filter(|(_, (_, row))| row.time.median_ms >= least_ms).map(dot).collect(),
        families,
    };
    let table = Table {
        title: "Kernels, slowest first".into(),
        note: "± is half the distance between the quartiles. Roof: the longer of bytes over bandwidth and arithmetic \
               over the multiply-add peak, over the time; beyond 100% where data stayed in a cache. Bytes are those of \
               every tensor that a dispatch reads, and of every one that it writes, each once."
            .into(),
        header: ["No.", "Kernel", "Case", "ms", "± %", "GB/s", "GFLOP/s", "Roof %", "Bound by"]
            .map(String::from)
            .to_vec(),
        rows: rows.iter().enumerate().map(|(i, (case, row))| table_row(i + 1, case, row, peaks)).collect(),
    };
    let wrong = report.cases.iter().filter(|case| !case.is_right()).count();
    let checked = match wrong {
        0 => "every one gave the results of the portable kernels".to_string(),
        n => format!("{n} of them with WRONG results"),
    };
    let environment = &report.environment;
    Report {
        title: "Kernels".into(),
        intro: Some(format!(
            "{} cases, forward and backward, {} runs each: {checked}. The two limits were measured in the same run.",
            report.cases.len(),
            report.repeats
        )),
        figures: vec![(
            "Roofline".into(),
            format!(
                "A dot a kernel and case; those of the {NUMBERED} slowest have their number in the table where there is room for it. What only moves data has no place here, and what takes less than a hundredth of the slowest one's time is left out."
            ),
            plot.to_svg(),
        )],
        tables: vec![table],
        environment: [
            ("adapter", environment.adapter.clone()),
            ("driver", environment.driver.clone()),
            ("kernels", environment.tier.clone()),
            ("system", format!("{}, {} cores", environment.system, environment.cores)),
            ("program", format!("cola-wgpu {}", environment.cola_wgpu)),
            ("measured", environment.started()),
        ]
        .map(|(what, value)| (what.to_string(), value))
        .to_vec(),
        ..Report::default()
    }
}

fn table_row(number: usize, case: &CaseTime, row: &Row, peaks: &Peaks) -> Vec<String> {
    vec![
        number.to_string(),
        row.name.clone(),
        case.name.clone(),
        format!("{:.3}", row.time.median_ms),
        format!("{:.1}", 100.0 * row.time.spread()),
        format!("{:.2}", row.gb_per_s()),
        format!("{:.1}", row.gflop_per_s()),
        format!("{:.1}", 100.0 * row.share_of_roof(peaks)),
        row.bound(peaks).into(),
    ]
}

/// What a kernel's name begins with: its folder, or its first words. No more of them than the plot has colours.
fn family(name: &str) -> String {
    let path = name.split(' ').next().unwrap_or(name);
    if let Some((folder, _)) = path.split_once('/') {
        return folder.into();
    }
    let known = [
        ("batch_norm", "batch_norm"),
        ("depthwise", "depthwise"),
        ("layer_norm", "layer_norm"),
        ("log_mel", "log_mel"),
        ("max_pool", "pool"),
        ("mean_pool", "pool"),
        ("se_", "squeeze-excite"),
    ];
    known.iter().find(|(start, _)| path.starts_with(start)).map_or("others", |(_, family)| family).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn families_are_folders_or_first_words() {
        for (name, wanted) in [
            ("matmul/lanes vec4<f32> ROWS=40", "matmul"),
            ("depthwise_strip_dw K=3", "depthwise"),
            ("se_dx_sums", "squeeze-excite"),
            ("mean_pool_dx", "pool"),
            ("adam", "others"),
        ] {
            assert_eq!(family(name), wanted);
        }
    }
}
