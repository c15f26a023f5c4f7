//! The figures of the COLA paper (Saeed, Grangier, Zeghidour 2021, Tables 1 and 2), to stand beside ours.

use super::Mode;

/// A task of the paper: test accuracy in percent, one run each, pre-trained on AudioSet.
#[derive(Debug, PartialEq)]
pub struct PaperTask {
    /// As the paper calls it.
    pub name: &'static str,
    random: f64,
    scratch: f64,
    frozen: f64,
    finetune: f64,
    /// Number of labels.
    labels: std::ops::RangeInclusive<usize>,
    /// Labels that the task has, in lower case.
    among: &'static [&'static str],
    /// What its folder must be called, where other sets have the same labels.
    called: &'static str,
}

/// Table 1. Its column "supervised" is training from scratch.
static TASKS: [PaperTask; 9] = [
    task("Speaker Id. (LBS)", [0.4, 100.0, 100.0, 100.0], 251..=251, &[], "libri"),
    task("Speech commands V1", [62.9, 97.2, 71.7, 98.1], 11..=12, &["yes", "no", "left", "right", "stop"], "v1"),
    task("Speech commands V2", [4.0, 94.3, 62.4, 95.5], 35..=35, &["yes", "backward", "visual", "zero"], ""),
    task("Acoustic scenes", [8.6, 98.2, 94.1, 99.2], 10..=10, &["airport", "bus", "metro", "tram"], ""),
    task("Speaker Id. (Voxceleb)", [0.0, 31.7, 29.9, 37.7], 1251..=1251, &[], ""),
    task("Birdsong detection", [49.6, 79.4, 77.0, 80.2], 2..=2, &[], "bird"),
    task("Music, Speech and Noise", [56.8, 99.3, 99.1, 99.4], 3..=3, &["music", "speech", "noise"], "musan"),
    task("Language Id.", [59.1, 85.0, 71.3, 82.9], 6..=6, &[], "voxforge"),
    task("Music instrument", [20.8, 70.7, 63.4, 73.0], 11..=11, &["bass", "flute", "mallet", "reed"], ""),
];

const fn task(
    name: &'static str,
    [random, scratch, frozen, finetune]: [f64; 4],
    labels: std::ops::RangeInclusive<usize>,
    among: &'static [&'static str],
    called: &'static str,
) -> PaperTask {
    PaperTask { name, random, scratch, frozen, finetune, labels, among, called }
}

impl PaperTask {
    /// The paper's accuracy, 0 to 1.
    pub fn accuracy(&self, mode: Mode) -> f64 {
        let percent = match mode {
            Mode::Frozen => self.frozen,
            Mode::Finetune => self.finetune,
            Mode::Scratch => self.scratch,
            Mode::Random => self.random,
        };
        percent / 100.0
    }
}

/// The paper's task that has these labels and, where labels alone do not tell, a name like this.
pub fn same_task(name: &str, labels: &[String]) -> Option<&'static PaperTask> {
    let name = name.to_lowercase();
    let has = |label: &&'static str| labels.iter().any(|l| l.to_lowercase() == *label);
    TASKS.iter().find(|t| t.labels.contains(&labels.len()) && t.among.iter().all(has) && name.contains(t.called))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn averages_are_those_that_the_paper_prints() {
        for (mode, printed) in
            [(Mode::Random, 29.1), (Mode::Scratch, 83.9), (Mode::Frozen, 74.3), (Mode::Finetune, 85.1)]
        {
            let mean = TASKS.iter().map(|task| 100.0 * task.accuracy(mode)).sum::<f64>() / 9.0;
            assert!((mean - printed).abs() < 0.15, "{mode}: {mean} and {printed}");
        }
    }

    #[test]
    fn tasks_are_told_by_their_labels_and_name() {
        let labels = |text: &str| text.split(' ').map(String::from).collect::<Vec<_>>();
        let same = |name: &str, text: &str| same_task(name, &labels(text)).map(|task| task.name);
        assert_eq!(same("musan", "Music noise speech"), Some("Music, Speech and Noise"));
        assert_eq!(same("music_speech_noise", "music noise speech"), None, "other clips may have these labels");
        assert_eq!(same("BirdCalls", "0 1"), Some("Birdsong detection"));
        let commands = "yes no up down left right on off stop go _unknown_ _silence_";
        assert_eq!(same("speech-commands-v1", commands), Some("Speech commands V1"));
        assert_eq!(same("speech-commands-v2-12", commands), None);
        let speakers: Vec<String> = (0..1251).map(|i| format!("id1{i:04}")).collect();
        assert_eq!(same_task("x", &speakers).map(|task| task.name), Some("Speaker Id. (Voxceleb)"));
    }
}
