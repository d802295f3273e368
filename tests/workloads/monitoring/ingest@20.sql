INSERT INTO samples SELECT now(), i * 13 % 2000 + 1, i % 20, i / 10.0 FROM generate_series(1, 50) i;
