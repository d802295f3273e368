SELECT r.*, d.name FROM readings r JOIN devices d USING (device_id) WHERE r.ts > now() - interval '5 min' ORDER BY r.ts DESC LIMIT 50;
