#!/usr/bin/env bash
# Builds a Debian package of the extension for PG_MAJOR, in target/package, and prints its path. Installing it touches no cluster: CREATE EXTENSION is
# the administrator's, and so is shared_preload_libraries.
set -euo pipefail
. "$(dirname -- "$0")/common.sh"
cd "$ROOT"

pg_bindir >/dev/null
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
name=postgresql-$PG_MAJOR-foreshard
out=${CARGO_TARGET_DIR:-$ROOT/target}/package
built=$out/built tree=$out/tree
rm -rf "$out" && mkdir -p "$tree/DEBIAN" "$out/debian"
say "building foreshard $version for PostgreSQL $PG_MAJOR" >&2
quietly cargo pgrx package --pg-config "$PG_CONFIG" --no-default-features --features "pg$PG_MAJOR" --out-dir "$built" >&2

# Where Debian's server looks, wherever the one is that it was built with.
lib=usr/lib/postgresql/$PG_MAJOR/lib extension=usr/share/postgresql/$PG_MAJOR/extension doc=usr/share/doc/$name
install -D -m 644 "$(find "$built" -name foreshard.so)" "$tree/$lib/foreshard.so"
strip --strip-unneeded "$tree/$lib/foreshard.so"
find "$built" -path '*/extension/foreshard*' -type f -exec install -D -m 644 -t "$tree/$extension" {} +
install -D -m 644 -t "$tree/$doc" README.md docs/*.md
install -D -m 644 LICENSE "$tree/$doc/copyright"
cp -r contrib "$tree/$doc/contrib"
gzip -9nc CHANGELOG.md >"$tree/$doc/changelog.gz"

# What the library is linked with, in the versions that it needs.
printf 'Source: foreshard\n\nPackage: %s\nArchitecture: any\n' "$name" >"$out/debian/control"
libraries=$(cd "$out" && dpkg-shlibdeps -O --ignore-missing-info "$tree/$lib/foreshard.so" 2>/dev/null | sed -n 's/^shlibs:Depends=//p')
cat >"$tree/DEBIAN/control" <<CONTROL
Package: $name
Source: foreshard
Version: $version
Architecture: $(dpkg --print-architecture)
Maintainer: foreshard contributors <nobody@localhost>
Section: database
Priority: optional
Installed-Size: $(du -sk --exclude=DEBIAN "$tree" | cut -f 1)
Depends: postgresql-$PG_MAJOR${libraries:+, $libraries}
Recommends: postgresql-contrib-$PG_MAJOR | postgresql-$PG_MAJOR
Suggests: postgresql-$PG_MAJOR-cron, postgresql-$PG_MAJOR-pg-qualstats
Description: restores a PostgreSQL table from a backup straight into the right shards
 foreshard reads the query log and the rows of a backup, recommends a shard key
 and the number of shards with its reasons, spreads them over tablespaces or
 other servers, creates the partitioned table, loads it and verifies every
 value. A background worker watches the shards, and changes the layout online.
CONTROL
(cd "$tree" && find usr -type f -print0 | LC_ALL=C sort -z | xargs -0 md5sum >DEBIAN/md5sums)
find "$tree" -type d -exec chmod 755 {} +
package=$out/${name}_${version}_$(dpkg --print-architecture).deb
quietly dpkg-deb --root-owner-group --build "$tree" "$package" >&2
echo "$package"
