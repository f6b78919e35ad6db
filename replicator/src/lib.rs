//! The data plane: change topics in, Delta tables out, exactly once.
//!
//! Data flows one way and each module is one station: [`consume`] → [`decode`] → [`change`] → [`table`], and
//! [`report`] says how it is going. What the source had before its first event comes through [`copy`].

pub mod change;
pub mod check;
pub mod consume;
pub mod copy;
pub mod decode;
pub mod maintain;
pub mod pipeline;
pub mod policy;
pub mod report;
pub mod resync;
pub mod run;
pub mod settings;
pub mod storage;
pub mod supervise;
pub mod table;
