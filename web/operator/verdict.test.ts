import {describe, expect, test} from 'vitest';
import type {Overview} from './overview';
import {judge} from './verdict';

/** well is an overview of a replica that nothing is wrong with; of lets a test change some of it. */
function well(of: (o: Overview) => void = () => {}): Overview {
  const o: Overview = {
    version: 'v1', now: '2026-01-02T12:00:00Z', started: '2026-01-01T12:00:00Z', ready: true, reason: '', drain: null,
    connections: {now: 500, limit: 1000, opened_per_second: 1, closed_per_second: 1},
    messages: {
      received_per_second: 10, delivered_per_second: 100, fanout_p50_seconds: .0001, fanout_p99_seconds: .001,
      dropped_of_late: 0, gaps_of_late: 0, waiting_bytes: 0,
    },
    rooms: {now: 3, over_seconds: 5, trouble: '', by_members: [], by_messages: []},
    talkers: [],
    redis: {
      up: true, reason: '', rooms: 3, masters: null, masters_proven: null, sentinels: null,
      round_trip_p50_seconds: .0003, round_trip_p99_seconds: .001, reconnects: [], gaps_of_late: 0,
    },
    auth_failures: [], refused: [], limits: [], closed: [], events: [],
    history: {
      step_seconds: 5, times: [0, 5, 10], connections: [], opened_per_second: [null, 10, 10], closed_per_second: [], received_per_second: [],
      delivered_per_second: [], fanout_p50_seconds: [], fanout_p99_seconds: [], round_trip_p50_seconds: [], round_trip_p99_seconds: [],
      gaps_per_second: [], auth_failures_per_second: [],
    },
  };
  of(o);
  return o;
}

const n = (reason: string, of_late: number) => ({reason, of_late, total: 1000});
const line = (level: string, time: string) => ({time, level, event: '', message: 'panic', attributes: {}});

test('a replica that nothing is wrong with is well', () => {
  expect(judge(well())).toEqual({tone: 'good', state: 'Ready', text: 'All is well: Redis answers in 300 µs, nothing was lost of late'});
});

test('strangers who are refused now and then, clients that leave, and old errors are ordinary life', () => {
  expect(judge(well(o => {
    o.auth_failures = [n('malformed', 4)];
    o.refused = [n('origin', 5), n('draining', 500)];
    o.limits = [n('messages (dry run)', 900)];
    o.closed = [n('client_closed', 900), n('no_pong', 3), n('drain', 40)];
    o.events = [line('WARN', '2026-01-02T11:59:00Z'), line('ERROR', '2026-01-02T11:44:59Z')];
  })).tone).toBe('good');
});

describe('what a healthy replica does not have is told', () => {
  const cases: [string, (o: Overview) => void][] = [
    ['7 messages dropped', o => { o.messages.dropped_of_late = 7; }],
    ['1,200 clients told of a gap', o => { o.messages.gaps_of_late = 1200; }],
    ['24 failed connections to Redis', o => { o.redis.reconnects = [n('dial', 23), n('canary', 1)]; }],
    ['3 connections ended by a fault that was not the client’s', o => { o.closed = [n('bug', 1), n('redis_unavailable', 1), n('keys_unavailable', 1)]; }],
    ['2 clients too slow', o => { o.closed = [n('slow_consumer', 1), n('outboxes_full', 1)]; }],
    ['40 connections refused', o => { o.refused = [n('connects_per_second', 40)]; }],
    ['6 tokens refused', o => { o.auth_failures = [n('signature', 6)]; }],
    ['50 times over a limit', o => { o.limits = [n('per_address', 50)]; }],
    ['1 failed connection to Redis', o => { o.redis.reconnects = [n('canary', 1)]; }],
    ['1 error in the log', o => { o.events = [line('ERROR', '2026-01-02T11:46:00Z')]; }],
    ['2 of 3 masters proven', o => { o.redis.masters = 3; o.redis.masters_proven = 2; }],
    ['connections near their limit', o => { o.connections.now = 751; }],
    ['Redis is slow', o => { o.redis.round_trip_p99_seconds = .3; }],
    ['messages wait for CPU', o => { o.messages.fanout_p99_seconds = 2; }],
    ['a lane does not answer', o => { o.rooms.trouble = 'lane 2 did not answer'; }],
  ];
  test.each(cases)('%s', (text, of) => {
    expect(judge(well(of))).toEqual({tone: 'wait', state: 'Ready', text: `Of late: ${text}`});
  });
});

test('what was not measured yet is not called well', () => {
  const v = judge(well(o => { o.redis.round_trip_p50_seconds = null; }));
  expect(v.tone).toBe('wait');
  expect(v.text).not.toContain('well');
});

test('a replica that is not ready is bad, and says why', () => {
  expect(judge(well(o => { o.ready = false; o.reason = 'redis: unproven for 8s'; }))).toEqual({tone: 'bad', state: 'Not ready', text: 'redis: unproven for 8s'});
});

test('a drain does not hide what else there is', () => {
  const drain = {began: '2026-01-02T11:59:50Z', closing: true, delay_seconds: 5, period_seconds: 30, total: 500, remaining: 120};
  expect(judge(well(o => { o.drain = drain; })).text).toBe('120 of 500 connections are left');
  expect(judge(well(o => { o.drain = drain; o.messages.gaps_of_late = 3; })).text).toBe('120 of 500 connections are left. Of late: 3 clients told of a gap');
});
