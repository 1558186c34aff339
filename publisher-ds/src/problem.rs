//! What is wrong with the ways out, in one text for the publisher's reports.

use std::sync::Arc;
use tokio::sync::watch::{self, Receiver, Sender};

/// What is wrong with any of them, joined. Follows each until it ends.
pub fn join(problems: &[Receiver<Option<String>>]) -> Receiver<Option<String>> {
    if let [only] = problems {
        return only.clone();
    }
    let (joined, all) = watch::channel(told(problems));
    let joined = Arc::new(joined);
    for one in problems {
        tokio::spawn(follow(one.clone(), problems.to_vec(), Arc::clone(&joined)));
    }
    all
}

async fn follow(
    mut one: Receiver<Option<String>>,
    all: Vec<Receiver<Option<String>>>,
    joined: Arc<Sender<Option<String>>>,
) {
    while one.changed().await.is_ok() {
        let text = told(&all);
        joined.send_if_modified(|before| {
            let is_other = *before != text;
            *before = text;
            is_other
        });
    }
}

fn told(problems: &[Receiver<Option<String>>]) -> Option<String> {
    let told: Vec<String> = problems.iter().filter_map(|it| it.borrow().clone()).collect();
    (!told.is_empty()).then(|| told.join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn problems_of_all_are_told_together_and_gone_with_the_last() {
        let (first, second) = (Sender::new(None), Sender::new(None));
        let mut joined = join(&[first.subscribe(), second.subscribe()]);
        assert_eq!(*joined.borrow(), None);
        first.send_replace(Some("no backend".to_owned()));
        joined.wait_for(|it| it.as_deref() == Some("no backend")).await.unwrap();
        second.send_replace(Some("no collector".to_owned()));
        joined.wait_for(|it| it.as_deref() == Some("no backend; no collector")).await.unwrap();
        first.send_replace(None);
        second.send_replace(None);
        joined.wait_for(Option::is_none).await.unwrap();
    }
}
