import type {Overview} from './overview';
import {count, span, sum} from './format';

export type Tone = 'good' | 'wait' | 'bad';

/** A Verdict is what an operator is to know in three seconds. */
export interface Verdict { tone: Tone; state: string; text: string }

/** judge says how the replica fares. */
export function judge(o: Overview): Verdict {
  if (o.drain) {
    const left = `${count(o.drain.remaining)} of ${count(o.drain.total)} connections are left`;
    return {tone: 'wait', state: 'Draining', text: o.drain.closing ? left : `${left}; clients are let in until drain.delay is over`};
  }
  if (!o.ready) return {tone: 'bad', state: 'Not ready', text: o.reason};
  const odd = oddities(o);
  if (odd.length > 0) return {tone: 'wait', state: 'Ready', text: `Of late: ${odd.join(', ')}`};
  return {tone: 'good', state: 'Ready', text: `All is well: Redis answers in ${span(o.redis.round_trip_p50_seconds)}, nothing was lost of late`};
}

/** oddities are what a healthy replica does not have, though it serves. */
function oddities(o: Overview): string[] {
  const odd: string[] = [];
  const some = (n: number | null, text: (n: string) => string) => { if (n) odd.push(text(count(n))); };
  some(o.messages.dropped_of_late, n => `${n} dropped`);
  some(o.messages.gaps_of_late, n => `${n} clients told of a gap`);
  some(sum(o.redis.reconnects.map(r => r.of_late)), n => `Redis lost ${n} times`);
  const slow = o.closed.filter(c => c.reason === 'slow_consumer' || c.reason === 'outboxes_full');
  some(sum(slow.map(c => c.of_late)), n => `${n} clients too slow`);
  const {masters, masters_proven: proven} = o.redis;
  if (masters !== null && proven !== null && proven < masters) odd.push(`${proven} of ${masters} masters proven`);
  if (o.connections.limit > 0 && o.connections.now > .75 * o.connections.limit) odd.push('connections near their limit');
  if ((o.redis.round_trip_p99_seconds ?? 0) > .25) odd.push('Redis is slow');
  if (o.rooms.trouble) odd.push('a lane does not answer');
  return odd;
}
