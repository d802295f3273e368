DELETE FROM readings WHERE ts < timestamptz '2024-12-31 00:00:00+00';
