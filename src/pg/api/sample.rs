//! foreshard._sampled_keys, _hot_values: what the sampler knows, of tables whose values the caller may see.

use crate::pg::sample;
use foreshard_core::health::{Direction, KeyLoad};
use pgrx::pg_sys;
use pgrx::prelude::*;

#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn sampled_keys() -> TableIterator<
    'static,
    (
        name!(relation, pg_sys::Oid),
        name!(samples, f64),
        name!(known_share, f64),
        name!(direction, Option<&'static str>),
    ),
> {
    TableIterator::new(
        visible()
            .into_iter()
            .map(|(table, load)| (table, load.samples(), load.known_share(), load.direction().map(Direction::name))),
    )
}

#[pg_extern(sql = false)]
#[allow(clippy::type_complexity)]
fn hot_values() -> TableIterator<
    'static,
    (
        name!(relation, pg_sys::Oid),
        name!(value, String),
        name!(shard, Option<pg_sys::Oid>),
        name!(load_share, f64),
        name!(shard_share, Option<f64>),
    ),
> {
    TableIterator::new(visible().into_iter().flat_map(|(table, load)| {
        load.hot_values()
            .into_iter()
            .map(move |v| (table, v.value, v.shard.map(pg_sys::Oid::from), v.share, v.shard_share))
    }))
}

fn visible() -> Vec<(pg_sys::Oid, KeyLoad)> {
    let may_see = |table: pg_sys::Oid| {
        matches!(Spi::get_one_with_args("SELECT foreshard._shows_values($1)", &[table.into()]), Ok(Some(true)))
    };
    sample::read().into_iter().filter(|(table, _)| may_see(*table)).collect()
}
