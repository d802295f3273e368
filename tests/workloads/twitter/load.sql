-- Who follows whom, and what they say: a graph stored in both directions.
CREATE TABLE user_profiles (uid integer PRIMARY KEY, name text, email text, followers integer);
CREATE TABLE follows (f1 integer NOT NULL, f2 integer NOT NULL, PRIMARY KEY (f1, f2));
CREATE TABLE followers (f1 integer NOT NULL, f2 integer NOT NULL, PRIMARY KEY (f1, f2));
CREATE TABLE tweets (id bigint PRIMARY KEY, uid integer NOT NULL REFERENCES user_profiles, text text NOT NULL, created timestamp);
CREATE TABLE added_tweets (id bigserial PRIMARY KEY, uid integer NOT NULL REFERENCES user_profiles, text text NOT NULL, created timestamp);
INSERT INTO user_profiles SELECT i, 'user ' || i, i || '@example.org', 0 FROM generate_series(0, 4999) i;
INSERT INTO follows SELECT DISTINCT u, abs(hashint4(u * 31 + k)) % 5000 FROM generate_series(0, 4999) u, generate_series(1, 15) k;
INSERT INTO followers SELECT f2, f1 FROM follows;
INSERT INTO tweets SELECT i, abs(hashint4(i)) % 5000, repeat('word ', 5 + i % 15), timestamp '2025-01-01' + i * interval '7 s'
FROM generate_series(1, 100000) i;
CREATE INDEX tweets_uid ON tweets (uid);
ANALYZE;
