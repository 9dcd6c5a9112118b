BEGIN TRANSACTION;
CREATE TABLE calibrations (
            started_at_seconds REAL PRIMARY KEY,
            floor_s REAL NOT NULL,
            spread_s REAL NOT NULL,
            n INTEGER NOT NULL,
            voids INTEGER NOT NULL
        );
INSERT INTO "calibrations" VALUES(1763726400.5,0.094,0.01,10,0);
CREATE TABLE open_runs (
            run_id TEXT PRIMARY KEY,
            probe TEXT NOT NULL,
            agent_name TEXT NOT NULL,
            call_type TEXT NOT NULL,
            scenario TEXT NOT NULL,
            started_at_seconds REAL NOT NULL,
            target TEXT NOT NULL,
            day TEXT NOT NULL,
            turns INTEGER NOT NULL,
            call_seconds REAL NOT NULL,
            room_name TEXT
        );
INSERT INTO "open_runs" VALUES('open','latency','demo','sales','busy',1763726400.5,'t','2026-11-21',4,180.0,NULL);
CREATE TABLE runs (
            run_id TEXT PRIMARY KEY,
            probe TEXT NOT NULL,
            agent_name TEXT NOT NULL,
            call_type TEXT NOT NULL,
            scenario TEXT NOT NULL,
            started_at_seconds REAL NOT NULL,
            duration_s REAL NOT NULL,
            reason TEXT,
            detail TEXT NOT NULL,
            verdict TEXT NOT NULL,
            turns TEXT NOT NULL,
            time_to_agent_s REAL,
            time_to_greeting_s REAL,
            split_absent TEXT NOT NULL
        , log TEXT NOT NULL DEFAULT '[]', agents INTEGER NOT NULL DEFAULT 1, loop_lag_s REAL, speech_s TEXT NOT NULL DEFAULT 'null', overlap_s REAL, media TEXT NOT NULL DEFAULT 'null', usage TEXT NOT NULL DEFAULT '[]', expectations TEXT NOT NULL DEFAULT '[]', line TEXT NOT NULL DEFAULT 'null', reconnects TEXT NOT NULL DEFAULT '[]', interruptions TEXT NOT NULL DEFAULT '[]', backchannels TEXT NOT NULL DEFAULT '[]', pauses TEXT NOT NULL DEFAULT '[]', token TEXT NOT NULL DEFAULT 'null', fence INTEGER, findings TEXT NOT NULL DEFAULT '[]', sending TEXT NOT NULL DEFAULT 'null');
INSERT INTO "runs" VALUES('old','latency','demo','sales','busy',1763726400.5,31.25,'no_reply','nothing came','FAIL','[{"outcome":"failed","reason":"no_reply"}]',0.4,NULL,'','["0.1 in room r"]',1,0.25,'{"caller":2.5,"agent":4.0}',0.25,'null','[{"model":"m","llm_input":9,"llm_cached":0,"llm_output":0,"tts_characters":0,"stt_seconds":0.0}]','[{"step":1,"kind":"tool","outcome":"met","detail":""}]','{"up":{"packets":9,"sent":8,"lost":1,"overflowed":0,"silenced":0,"delay_p50_s":0.1,"delay_p95_s":0.1,"delay_max_s":0.1,"late_p95_s":0.0,"late_max_s":0.0},"down":{"packets":0,"sent":0,"lost":0,"overflowed":0,"silenced":0,"delay_p50_s":null,"delay_p95_s":null,"delay_max_s":null,"late_p95_s":null,"late_max_s":null}}','[{"kind":"full","seconds":1.5,"answered":true}]','[{"outcome":"yielded","yield_s":0.6,"answer":"answered","answer_s":1.5,"detail":""}]','[]','[]','{"fetch_s":0.25,"dangers":["no_room"],"dispatches":[],"failure":null}',NULL,'[{"verdict":"FAIL","text":"no_reply: nothing came","cause":null}]','{"noise":"babble","snr_db":10.0,"low_quality_microphone":false,"bitrate_kbps":null,"red":true}');
CREATE TABLE spent (
            target TEXT NOT NULL,
            day TEXT NOT NULL,
            turns INTEGER NOT NULL,
            call_seconds REAL NOT NULL, tokens INTEGER NOT NULL DEFAULT 0,
            PRIMARY KEY (target, day)
        ) WITHOUT ROWID
        ;
INSERT INTO "spent" VALUES('t','2026-11-21',4,180.0,9);
CREATE TABLE workers (worker_id TEXT PRIMARY KEY, document TEXT NOT NULL);
INSERT INTO "workers" VALUES('AW_1','{"worker_id":"AW_1","agent_name":"demo","status":"idle"}');
CREATE TABLE ramps (vantage TEXT PRIMARY KEY, document TEXT NOT NULL);
INSERT INTO "ramps" VALUES('here','{}');
CREATE INDEX runs_by_start ON runs (started_at_seconds);
CREATE INDEX runs_by_end ON runs ((reason IS NOT NULL), started_at_seconds);
CREATE INDEX runs_by_agent ON runs (agent_name, started_at_seconds);
CREATE TABLE calls (room_sid TEXT PRIMARY KEY, document TEXT NOT NULL);
INSERT INTO calls VALUES('RM_1','{}');
COMMIT;
PRAGMA user_version = 15;
