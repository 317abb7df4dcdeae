import {byId} from './dom';

const every = 2000; // milliseconds between two pings
const most = 60; // of them shown: two minutes
const width = 120, height = 28; // of the drawing, as in index.html

/** Draws the round trips of pings. It pings while `ping` gives a promise, and the page is looked at. */
export function drawLatency(ping: () => Promise<number> | undefined): void {
  const trips: number[] = [];
  let waiting = false;
  const line = byId('sparkline').querySelector('polyline')!;
  setInterval(async () => {
    if (document.hidden || waiting) return;
    const trip = ping();
    if (!trip) {
      byId('latency').textContent = 'ping –';
      return;
    }
    waiting = true;
    try {
      trips.push(await trip);
    } catch {
      return; // the connection has ended meanwhile, which is shown elsewhere
    } finally {
      waiting = false;
    }
    if (trips.length > most) trips.shift();
    const top = Math.max(2, ...trips);
    const points = trips.map((trip, i) => {
      const x = width - (trips.length - 1 - i) * (width / (most - 1));
      return `${x.toFixed(1)},${(height - 2 - (trip / top) * (height - 4)).toFixed(1)}`;
    });
    line.setAttribute('points', points.join(' '));
    byId('latency').textContent = `ping ${trips[trips.length - 1]!.toFixed(1)} ms`;
  }, every);
}
