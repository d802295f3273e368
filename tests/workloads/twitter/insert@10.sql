\set u random(0, 4999)
INSERT INTO added_tweets (uid, text, created) VALUES (:u, 'hello', now());
