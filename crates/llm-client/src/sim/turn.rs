//! Which of the directives in a conversation applies to the answer that is due.

use std::collections::BTreeMap;

use super::directive::{self, Directive, DirectiveError, Manner, Say};
use super::prompt::Item;

/// What one answer is to be. Empty: the default answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Turn {
    pub(crate) says: Vec<Say>,
    pub(crate) manners: Vec<Manner>,
}

impl Turn {
    fn add(&mut self, directive: Directive) {
        match directive {
            Directive::Say(say) => self.says.push(say),
            Directive::Manner(manner) => self.manners.push(manner),
            Directive::At(_, directive) => self.add(*directive),
        }
    }

    /// How many tool results come of it.
    fn calls(&self) -> usize {
        self.says.iter().map(|say| if let Say::Calls(calls) = say { calls.len() } else { 0 }).sum()
    }
}

/// The directives of one text, sorted into turns.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Turns {
    /// One after the other. How to answer (`sim:delay`) belongs to the next line that says what (`sim:text`), and what
    /// comes after the last of those belongs to it.
    ordered: Vec<Turn>,
    /// By the number of tool results.
    at: BTreeMap<u64, Turn>,
}

impl Turns {
    /// Reads the directives of a text.
    pub(crate) fn parse(text: &str) -> Result<Self, DirectiveError> {
        let mut turns = Self::default();
        let mut open = Turn::default();
        for directive in directive::all_in(text)? {
            match directive {
                Directive::At(results, directive) => turns.at.entry(results).or_default().add(*directive),
                Directive::Say(say) => {
                    open.says.push(say);
                    turns.ordered.push(std::mem::take(&mut open));
                }
                Directive::Manner(manner) => open.manners.push(manner),
            }
        }
        match turns.ordered.last_mut() {
            Some(last) => last.manners.append(&mut open.manners),
            None if !open.manners.is_empty() => turns.ordered.push(open),
            None => {}
        }
        Ok(turns)
    }

    /// The turn that is due after what came since the text.
    fn due(mut self, since: Since) -> Turn {
        if let Some(turn) = self.at.remove(&since.results) {
            return turn;
        }
        let index = since.answers.max(self.passed(since.results));
        if index < self.ordered.len() {
            return self.ordered.swap_remove(index);
        }
        // Past the end the last text goes on, so that a reminder does not change the answer; a tool call does not, as an
        // agent would never end.
        self.ordered.pop().filter(|last| last.calls() == 0).unwrap_or_default()
    }

    /// How many turns so many tool results have completed.
    fn passed(&self, results: u64) -> usize {
        let mut left = usize::try_from(results).unwrap_or(usize::MAX);
        self.ordered
            .iter()
            .take_while(|turn| {
                let calls = turn.calls();
                let is_passed = calls > 0 && left >= calls;
                left = left.saturating_sub(calls);
                is_passed
            })
            .count()
    }
}

/// What has come since the text with the directives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Since {
    /// Tool results.
    results: u64,
    /// Answers of the model, whether they called tools or not.
    answers: usize,
}

impl Since {
    fn count(items: &[Item<'_>]) -> Self {
        // An answer that nothing follows is one that the client has begun for the model.
        let items = match items {
            [before @ .., Item::Answer] => before,
            items => items,
        };
        items.iter().fold(Self::default(), |since, item| match item {
            Item::User(_) => since,
            Item::Result => Self { results: since.results + 1, ..since },
            Item::Answer => Self { answers: since.answers + 1, ..since },
        })
    }
}

/// The turn that the newest user text with directives asks for; none when no user text holds any.
pub(crate) fn due(items: &[Item<'_>]) -> Option<Result<Turn, DirectiveError>> {
    let (at, text) = items.iter().enumerate().rev().find_map(|(at, item)| match item {
        Item::User(text) if directive::any_in(text) => Some((at, *text)),
        Item::User(_) | Item::Result | Item::Answer => None,
    })?;
    let since = Since::count(items.get(at + 1..).unwrap_or_default());
    Some(Turns::parse(text).map(|turns| turns.due(since)))
}

/// The first turn of a text with directives.
pub(crate) fn first(text: &str) -> Result<Turn, DirectiveError> {
    Turns::parse(text).map(|turns| turns.due(Since::default()))
}

#[cfg(test)]
mod tests {
    use super::super::directive::Call;
    use super::*;

    const TWO_THEN_ONE: &str = "sim:tools [{\"name\":\"a\"},{\"name\":\"b\"}]\nsim:tool c\nsim:text done";

    fn says(items: &[Item<'_>]) -> Vec<Say> {
        due(items).unwrap().unwrap().says
    }

    fn text(text: &str) -> Vec<Say> {
        vec![Say::Text(text.to_owned())]
    }

    fn calls(names: &[&str]) -> Vec<Say> {
        vec![Say::Calls(
            names.iter().map(|name| Call { name: (*name).to_owned(), arguments: "{}".to_owned() }).collect(),
        )]
    }

    #[test]
    fn directives_are_taken_in_order_over_the_turns() {
        let user = Item::User("Do this.\nsim:tool c {}\nsim:text done");
        assert_eq!(says(&[user]), calls(&["c"]));
        assert_eq!(says(&[user, Item::Answer, Item::Result]), text("done"));
        assert_eq!(
            says(&[user, Item::Answer, Item::Result, Item::Answer, Item::User("go on")]),
            text("done")
        );
    }

    #[test]
    fn calls_made_together_are_one_turn() {
        let user = Item::User(TWO_THEN_ONE);
        assert_eq!(says(&[user]), calls(&["a", "b"]));
        assert_eq!(says(&[user, Item::Answer, Item::Result, Item::Result]), calls(&["c"]));
        assert_eq!(
            says(&[user, Item::Result, Item::Result]),
            calls(&["c"]),
            "also when the answers are not sent back"
        );
        assert_eq!(says(&[user, Item::Result]), calls(&["a", "b"]));
        let all = [user, Item::Answer, Item::Result, Item::Result, Item::Answer, Item::Result];
        assert_eq!(says(&all), text("done"));
    }

    #[test]
    fn a_refused_call_that_became_a_text_is_not_made_again() {
        let user = Item::User("sim:tool c\nsim:text done");
        assert_eq!(says(&[user, Item::Answer, Item::User("continue")]), text("done"));
    }

    #[test]
    fn reminders_and_results_do_not_hide_the_directives_and_newer_directives_do() {
        let old = Item::User("sim:text old");
        assert_eq!(
            says(&[old, Item::Answer, Item::User("sim:text new"), Item::User("a reminder")]),
            text("new")
        );
        assert_eq!(says(&[old, Item::Result, Item::User("a reminder")]), text("old"));
    }

    #[test]
    fn a_tool_call_is_not_repeated_past_the_end() {
        let user = Item::User("sim:tool c");
        assert_eq!(says(&[user, Item::Answer, Item::Result]), []);
    }

    #[test]
    fn a_numbered_turn_applies_when_so_many_results_have_come() {
        let user = Item::User("sim:turn 0 tool c\nsim:turn 2 text two\nsim:turn 2 chunk 1\nsim:text else");
        assert_eq!(says(&[user]), calls(&["c"]));
        assert_eq!(says(&[user, Item::Answer, Item::Result]), text("else"));
        let two = due(&[user, Item::Result, Item::Result]).unwrap().unwrap();
        assert_eq!(two, Turn { says: text("two"), manners: vec![Manner::Chunk(1)] });
    }

    #[test]
    fn manners_belong_to_the_next_say_and_the_last_ones_to_the_last() {
        let turns = Turns::parse("sim:chunk 1\nsim:tool c\nsim:text x\nsim:nousage").unwrap();
        assert_eq!(turns.ordered[0].manners, [Manner::Chunk(1)]);
        assert_eq!(turns.ordered[1].manners, [Manner::NoUsage]);
        assert_eq!(first("sim:nousage").unwrap(), Turn { says: vec![], manners: vec![Manner::NoUsage] });
    }

    #[test]
    fn an_answer_that_the_client_began_does_not_count() {
        assert_eq!(says(&[Item::User("sim:tool c\nsim:text x"), Item::Answer]), calls(&["c"]));
    }
}
