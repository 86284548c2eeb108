// SPDX-License-Identifier: GPL-2.0-only

//! Tests of the concurrent hash table and its keeper, by one thread and by many.

mod chains;
mod failures;
mod interrupted;
mod letters;
mod lifetime;
mod memory;
mod model;
mod pins;
mod stress;
mod walks;
mod world;
