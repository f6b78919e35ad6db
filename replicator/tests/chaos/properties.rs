//! Properties that hold for any input; what fails is made small.

use std::sync::Arc;

use proptest::prelude::*;

use crate::backing::Backing;
use crate::log;
use crate::process::Process;
use crate::rng::Rng;
use crate::shape::Shape;
use crate::store::{FaultStore, Rates};
use crate::tally::Tally;
use crate::topic::{Message, Source};
use crate::value::{Row, Value};
use crate::verify::Checker;

/// Something that the source does.
#[derive(Clone, Debug)]
enum Step {
    Put { key: u8, keeps_large: bool },
    Move { from: u8, to: u8 },
    Delete { key: u8 },
    Truncate,
}

fn step() -> impl Strategy<Value = Step> {
    let key = 0..6u8;
    prop_oneof![
        6 => (key.clone(), any::<bool>()).prop_map(|(key, keeps_large)| Step::Put { key, keeps_large }),
        2 => (key.clone(), key.clone()).prop_map(|(from, to)| Step::Move { from, to }),
        2 => key.prop_map(|key| Step::Delete { key }),
        1 => Just(Step::Truncate),
    ]
}

fn key(number: u8) -> Row {
    vec![Value::Int(number.into())]
}

fn topic(shape: &Shape, steps: &[Step]) -> Vec<Message> {
    let mut source = Source::new(shape, Rng::new(7));
    for step in steps {
        match *step {
            Step::Put { key: of, keeps_large } => source.put(key(of), keeps_large),
            Step::Move { from, to } => source.move_key(&key(from), key(to)),
            Step::Delete { key: of } => source.delete(&key(of)),
            Step::Truncate => source.truncate(),
        }
    }
    source.messages().to_vec()
}

/// Reads the topic in pieces of these sizes, each of them a commit, and starts anew after so many. Maintenance that is due
/// begins before the commits that `looks` says, and goes on beside those that follow.
async fn replicate(
    shape: &Shape,
    topic: &[Message],
    sizes: &[usize],
    looks: &[bool],
    lifetime: usize,
) -> (Arc<Backing>, Tally) {
    let backing = Arc::<Backing>::default();
    let (tally, mut rng) = (Tally::default(), Rng::new(7));
    let store = FaultStore::new(Arc::clone(&backing), Tally::default(), Rng::new(7), Rates::default(), None);
    let mut process = Process::start(shape, store.clone(), None).await.unwrap();
    for (at, (size, looks)) in sizes.iter().cycle().zip(looks.iter().cycle()).enumerate() {
        if process.next() == topic.len() && process.may_commit() {
            break;
        }
        process.read(shape, topic, *size).await.unwrap();
        if *looks {
            while process.maintain(&tally, backing.now()).await.unwrap().is_some() {}
        }
        if process.may_commit() {
            process.commit(&mut rng, &tally, backing.now()).await.unwrap();
        }
        if at % lifetime == lifetime - 1 {
            process = Process::start(shape, store.clone(), None).await.unwrap();
        }
    }
    process.finish_work(&tally, backing.now()).await.unwrap();
    (backing, tally)
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn fold_and_commit_make_what_the_events_say(
        steps in prop::collection::vec(step(), 1..60),
        sizes in prop::collection::vec(1..9usize, 1..6),
    ) {
        let shape = Shape::plain();
        let topic = topic(&shape, &steps);
        let (backing, _) = block_on(replicate(&shape, &topic, &sizes, &[false], 3));
        if let Some(last) = log::latest(&backing) {
            Checker::new(&backing, &shape, &topic).check_to(last).unwrap();
        }
    }

    #[test]
    fn compaction_keeps_every_row_whatever_is_committed_beside_it(
        steps in prop::collection::vec(step(), 40..120),
        sizes in prop::collection::vec(1..3usize, 1..6),
        looks in prop::collection::vec(any::<bool>(), 1..6).prop_map(|looks| [vec![true], looks].concat()),
        sorted in any::<bool>(),
    ) {
        let mut shape = Shape::plain();
        shape.target_file_bytes = 64 << 10;
        shape.cluster_by = if sorted { vec![shape.columns[0].name.clone()] } else { vec![] };
        let topic = topic(&shape, &steps);
        let (backing, tally) = block_on(replicate(&shape, &topic, &sizes, &looks, 60));
        prop_assume!(tally.to_string().contains("compaction"), "nothing was written anew");
        let last = log::latest(&backing).unwrap();
        Checker::new(&backing, &shape, &topic).check_to(last).unwrap();
    }
}
