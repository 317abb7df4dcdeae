// What /overview.json answers: cmd/roomgate/overview.go has it first, and docs/operating.md explains each field.

export type Num = number | null; // null: not known

export interface Count { reason: string; of_late: Num; total: Num }
export interface Room { room: string; members: number; messages_per_second: Num }
export interface Talker { sub: string; conn: string; connections: number; messages_per_second: Num }
export interface LogLine { time: string; level: string; event: string; message: string; attributes: Record<string, string> }
export interface Drain { began: string; closing: boolean; delay_seconds: Num; period_seconds: Num; total: number; remaining: number }

export interface History {
  step_seconds: number;
  times: number[];
  connections: Num[];
  opened_per_second: Num[];
  closed_per_second: Num[];
  received_per_second: Num[];
  delivered_per_second: Num[];
  fanout_p50_seconds: Num[];
  fanout_p99_seconds: Num[];
  round_trip_p50_seconds: Num[];
  round_trip_p99_seconds: Num[];
  gaps_per_second: Num[];
  auth_failures_per_second: Num[];
}

export interface Overview {
  version: string;
  now: string;
  started: string;
  ready: boolean;
  reason: string;
  drain: Drain | null;
  connections: { now: number; limit: number; opened_per_second: Num; closed_per_second: Num };
  messages: {
    received_per_second: Num; delivered_per_second: Num; fanout_p50_seconds: Num; fanout_p99_seconds: Num;
    dropped_of_late: Num; gaps_of_late: Num; waiting_bytes: Num;
  };
  rooms: { now: number; over_seconds: Num; trouble: string; by_members: Room[]; by_messages: Room[] };
  talkers: Talker[];
  redis: {
    up: boolean; reason: string; rooms: number; masters: Num; masters_proven: Num; sentinels: Num;
    round_trip_p50_seconds: Num; round_trip_p99_seconds: Num; reconnects: Count[]; gaps_of_late: Num;
  };
  auth_failures: Count[];
  refused: Count[];
  limits: Count[];
  closed: Count[];
  events: LogLine[];
  history: History;
}
