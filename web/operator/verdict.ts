import type {Count, Overview} from './overview';
import {count, span, sum} from './format';

export type Tone = 'good' | 'wait' | 'bad';

/** A Verdict is what an operator is to know in three seconds. */
export interface Verdict { tone: Tone; state: string; text: string }

/** judge says how the replica fares. What is not known is not called well. */
export function judge(o: Overview): Verdict {
  const odd = oddities(o);
  if (o.drain) {
    const left = `${count(o.drain.remaining)} of ${count(o.drain.total)} connections are left`;
    const told = o.drain.closing ? left : `${left}; clients are let in until drain.delay is over`;
    return {tone: 'wait', state: 'Draining', text: odd.length > 0 ? `${told}. Of late: ${odd.join(', ')}` : told};
  }
  if (!o.ready) return {tone: 'bad', state: 'Not ready', text: o.reason};
  if (odd.length > 0) return {tone: 'wait', state: 'Ready', text: `Of late: ${odd.join(', ')}`};
  if (o.redis.round_trip_p50_seconds === null) return {tone: 'wait', state: 'Ready', text: 'Too young to judge: Redis was measured less than twice'};
  return {tone: 'good', state: 'Ready', text: `All is well: Redis answers in ${span(o.redis.round_trip_p50_seconds)}, nothing was lost of late`};
}

const slowRedis = .25; // s
const slowFanout = .25; // s
const nearLimit = .75; // of connections.limit
const manyRefused = .05; // of those who came; a few are always refused, strangers try doors
const fewRefused = 5; // are no share of anything

/** Ends that are nobody's but ours, or Redis's. */
const ours = ['bug', 'redis_unavailable', 'keys_unavailable'];
const tooSlow = ['slow_consumer', 'outboxes_full'];

/** oddities are what a healthy replica does not have, though it serves. */
function oddities(o: Overview): string[] {
  const odd: string[] = [];
  const some = (n: number | null, of: string, what: string) => { if (n) odd.push(`${count(n)} ${of}${n === 1 ? '' : 's'} ${what}`); };
  const many = (list: Count[], what: string) => {
    const n = ofLate(list);
    if (n >= fewRefused && n > manyRefused * (cameOfLate(o) + n)) odd.push(`${count(n)} ${what}`);
  };
  some(o.messages.dropped_of_late, 'message', 'dropped');
  some(o.messages.gaps_of_late, 'client', 'told of a gap');
  some(ofLate(o.redis.reconnects), 'failed connection', 'to Redis');
  some(ofLate(o.closed, ours), 'connection', 'ended by a fault that was not the client’s');
  some(ofLate(o.closed, tooSlow), 'client', 'too slow');
  many(o.refused.filter(c => c.reason !== 'draining'), 'connections refused');
  many(o.auth_failures, 'tokens refused');
  many(o.limits.filter(c => !c.reason.includes('dry run')), 'times over a limit');
  some(o.events.filter(e => e.level === 'ERROR' && Date.parse(o.now) - Date.parse(e.time) < 15 * 60_000).length, 'error', 'in the log');
  const {masters, masters_proven: proven} = o.redis;
  if (masters !== null && proven !== null && proven < masters) odd.push(`${proven} of ${masters} masters proven`);
  if (o.connections.limit > 0 && o.connections.now > nearLimit * o.connections.limit) odd.push('connections near their limit');
  if ((o.redis.round_trip_p99_seconds ?? 0) > slowRedis) odd.push('Redis is slow');
  if ((o.messages.fanout_p99_seconds ?? 0) > slowFanout) odd.push('messages wait for CPU');
  if (o.rooms.trouble) odd.push('a lane does not answer');
  return odd;
}

/** ofLate sums what was counted of late, of some reasons or of all. */
const ofLate = (list: Count[], reasons?: string[]): number =>
  sum(list.filter(c => !reasons || reasons.includes(c.reason)).map(c => c.of_late));

/** cameOfLate is how many were let in over the whole history. */
const cameOfLate = (o: Overview): number => o.history.step_seconds * sum(o.history.opened_per_second);
