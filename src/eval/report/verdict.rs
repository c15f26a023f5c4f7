//! Which representation is ahead, in plain words that do not say more than the test clips can carry.

use super::percent;
use crate::eval::metrics::ProbeScore;

/// A lead counts when it is larger than this many standard errors of the difference.
const SURE: f64 = 2.0;

/// Says, task by task, which representation has the highest balanced accuracy, which are level with it within the error
/// of the test set, and whether any is above chance. Empty without scores.
pub fn verdict(scores: &[ProbeScore]) -> String {
    let tasks = by_task(scores);
    let sentences = tasks.iter().map(|(task, ranked)| about_task(task, ranked));
    overall(&tasks).into_iter().chain(sentences).collect::<Vec<_>>().join(" ")
}

/// Tasks in order of appearance, each with its scores from best to worst; scores that are NaN are left out.
pub(super) fn by_task(scores: &[ProbeScore]) -> Vec<(&str, Vec<&ProbeScore>)> {
    let mut tasks: Vec<(&str, Vec<&ProbeScore>)> = Vec::new();
    for score in scores.iter().filter(|score| !score.balanced_accuracy.is_nan()) {
        match tasks.iter_mut().find(|(task, _)| *task == score.task) {
            Some((_, ranked)) => ranked.push(score),
            None => tasks.push((&score.task, vec![score])),
        }
    }
    for (_, ranked) in &mut tasks {
        ranked.sort_by(|a, b| b.balanced_accuracy.total_cmp(&a.balanced_accuracy));
    }
    tasks
}

/// How many of the best-first scores cannot be told from the best one.
fn level_with_best(ranked: &[&ProbeScore]) -> usize {
    let best = ranked[0];
    let cannot_tell = |score: &&&ProbeScore| {
        let gap = best.balanced_accuracy - score.balanced_accuracy;
        gap <= SURE * best.standard_error().hypot(score.standard_error())
    };
    ranked.iter().take_while(cannot_tell).count()
}

fn above_chance(score: &ProbeScore) -> bool {
    score.balanced_accuracy - score.chance() > SURE * score.standard_error()
}

fn about_task(task: &str, ranked: &[&ProbeScore]) -> String {
    let best = ranked[0];
    let chance = percent(best.chance());
    if !above_chance(best) {
        return format!("On {task}, nothing is clearly above chance ({chance}): {}.", list(ranked));
    }
    let level = level_with_best(ranked);
    let (front, behind) = ranked.split_at(level);
    let mut text = match (front, behind) {
        ([only], []) => format!("On {task}, {} was probed alone", named(only)),
        ([first], _) => format!("On {task}, {} is ahead", named(first)),
        _ => format!("On {task}, {} are level within the error of {} test clips", list(front), best.test_clips),
    };
    if !behind.is_empty() {
        text += &format!(", before {}", list(behind));
    }
    format!("{text}; chance is {chance}.")
}

/// For several tasks with several representations: how often each one is ahead for sure.
fn overall(tasks: &[(&str, Vec<&ProbeScore>)]) -> Option<String> {
    let contests: Vec<_> = tasks.iter().filter(|(_, ranked)| ranked.len() > 1).collect();
    if contests.len() < 2 {
        return None;
    }
    let mut wins: Vec<(&str, usize)> = Vec::new();
    for (_, ranked) in &contests {
        if level_with_best(ranked) > 1 || !above_chance(ranked[0]) {
            continue;
        }
        let winner = ranked[0].representation.as_str();
        match wins.iter_mut().find(|(name, _)| *name == winner) {
            Some((_, count)) => *count += 1,
            None => wins.push((winner, 1)),
        }
    }
    wins.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let undecided = contests.len() - wins.iter().map(|(_, count)| count).sum::<usize>();
    let won = wins.iter().map(|(name, count)| format!("{name} is clearly ahead on {count}"));
    let open = match undecided {
        0 => None,
        1 => Some("1 is undecided".to_owned()),
        more => Some(format!("{more} are undecided")),
    };
    let parts: Vec<_> = won.chain(open).collect();
    Some(format!("Of {} tasks, {}.", contests.len(), parts.join("; ")))
}

fn named(score: &ProbeScore) -> String {
    format!("{} ({})", score.representation, percent(score.balanced_accuracy))
}

fn list(scores: &[&ProbeScore]) -> String {
    join(&scores.iter().map(|score| named(score)).collect::<Vec<_>>())
}

/// `a, b and c`.
fn join(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [only] => only.clone(),
        [start @ .., last] => format!("{} and {last}", start.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn score(task: &str, representation: &str, balanced_accuracy: f64) -> ProbeScore {
        ProbeScore {
            task: task.into(),
            representation: representation.into(),
            accuracy: balanced_accuracy,
            balanced_accuracy,
            labels: 4,
            test_clips: 400,
        }
    }

    #[test]
    fn a_clear_lead_is_called_one() {
        let scores = [score("birds", "untrained", 0.4), score("birds", "pre-trained", 0.7)];
        assert_eq!(
            verdict(&scores),
            "On birds, pre-trained (70.0%) is ahead, before untrained (40.0%); chance is 25.0%."
        );
    }

    #[test]
    fn a_small_lead_is_not() {
        let scores = [score("birds", "a", 0.60), score("birds", "b", 0.62), score("birds", "c", 0.40)];
        assert_eq!(
            verdict(&scores),
            "On birds, b (62.0%) and a (60.0%) are level within the error of 400 test clips, \
             before c (40.0%); chance is 25.0%."
        );
    }

    #[test]
    fn chance_is_called_chance() {
        let scores = [score("birds", "a", 0.26), score("birds", "b", 0.22)];
        assert_eq!(verdict(&scores), "On birds, nothing is clearly above chance (25.0%): a (26.0%) and b (22.0%).");
    }

    #[test]
    fn several_tasks_are_counted() {
        let scores = [
            score("one", "a", 0.9),
            score("one", "b", 0.5),
            score("two", "a", 0.5),
            score("two", "b", 0.51),
            score("three", "b", f64::NAN),
        ];
        let text = verdict(&scores);
        assert!(text.starts_with("Of 2 tasks, a is clearly ahead on 1; 1 is undecided. On one, "), "{text}");
        assert!(!text.contains("three"), "{text}");
        assert_eq!(verdict(&[]), "");
        let alone = verdict(&[score("one", "a", 0.9)]);
        assert_eq!(alone, "On one, a (90.0%) was probed alone; chance is 25.0%.");
    }
}
