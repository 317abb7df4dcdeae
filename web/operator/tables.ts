import type {Count, LogLine, Overview, Room} from './overview';
import {count, rate, when, words} from './format';

/** fill makes a table's body have these rows. What has not changed is left alone, so that a selection stays. */
export function fill(id: string, rows: string[][], shares?: number[]): void {
  const body = document.querySelector<HTMLTableSectionElement>(`#${id} tbody`)!;
  const columns = body.parentElement!.querySelectorAll('thead th').length;
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((row, i) => {
    const line = body.rows[i] ?? body.insertRow();
    while (line.cells.length < columns) line.insertCell();
    row.forEach((text, j) => set(line.cells[j]!, text));
    if (shares) line.style.setProperty('--share', `${Math.round(100 * (shares[i] ?? 0))}%`);
  });
  document.querySelector<HTMLElement>(`#${id} + .none`)!.hidden = rows.length > 0;
}

/** set changes a text only if it is another. */
export function set(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text;
}

/** shares are of the greatest. */
function shares(list: number[]): number[] {
  const most = Math.max(...list);
  return list.map(n => most > 0 ? n / most : 0);
}

const rooms = (id: string, list: Room[], of: (r: Room) => number) =>
  fill(id, list.map(r => [r.room, count(r.members), rate(r.messages_per_second)]), shares(list.map(of)));

const counts = (id: string, list: Count[]) =>
  fill(id, list.map(c => [words(c.reason), count(c.of_late), count(c.total)]));

/** fillAll shows all tables of o. */
export function fillAll(o: Overview): void {
  rooms('by-members', o.rooms.by_members, r => r.members);
  rooms('by-messages', o.rooms.by_messages, r => r.messages_per_second ?? 0);
  fill('talkers', o.talkers.map(t => [t.sub || `connection ${t.conn}`, count(t.connections), rate(t.messages_per_second)]),
    shares(o.talkers.map(t => t.messages_per_second ?? 0)));
  counts('auth-failures', o.auth_failures);
  counts('refused', o.refused);
  counts('limits', o.limits);
  counts('closed', o.closed);
  fill('events', o.events.map(e => event(e, o.now)));
  document.querySelectorAll<HTMLTableRowElement>('#events tbody tr').forEach((row, i) => { row.dataset.level = o.events[i]?.level; });
}

/** event is a line of the log as a row: when, what, who, why, and all else. */
function event(e: LogLine, now: string): string[] {
  const {sub, conn, addr, reason, ...rest} = e.attributes;
  const who = [sub, addr, conn].filter(Boolean).join(' · ');
  const more = Object.entries(rest).map(([key, value]) => `${key}=${value}`).join(' ');
  const what = e.event && e.message === 'security' ? words(e.event) : e.message;
  return [when(e.time, now), what, reason ? words(reason) : '', who, more];
}
