//! The stand-in for Strimzi on a real node: real Kafka, real Connect, a real database, and Strimzi's statuses.

mod connectors;
mod kafka;
mod playground;

/// Says so and ends the test where no node can run: on machines of developers who are not root.
macro_rules! need_a_node {
    () => {
        if let Err(why) = tributary_e2e::node::is_possible() {
            eprintln!("not run: {why}");
            return;
        }
    };
}
use need_a_node;
