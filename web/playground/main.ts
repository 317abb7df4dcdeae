import {Composer} from './composer';
import {Connection, type TokenSource} from './connection';
import {byId, reason} from './dom';
import {FrameList} from './frames';
import {drawLatency} from './latency';
import {Rooms} from './rooms';
import {fetchSettings, fetchToken, type Settings} from './server';
import {Simulator} from './simulate';
import {Snippets} from './snippets';
import {TokenPanel} from './tokens';

const soon = 60_000; // milliseconds before its end in which a pasted token is not sent again

/** The token in the address, #token=…, which is taken out of it at once: addresses are copied, and kept. */
function tokenInAddress(): string {
  const token = new URLSearchParams(location.hash.slice(1)).get('token') ?? '';
  if (token) history.replaceState(null, '', location.pathname + location.search);
  return token;
}

/** Gives a pasted token, which nothing can renew: near its end only the first time. */
function pasted(token: string, exp: number | undefined): TokenSource {
  let used = false;
  return () => {
    if (used && exp !== undefined && exp * 1000 - Date.now() < soon) throw new Error('the token that was pasted ends, or has ended: paste a new one');
    used = true;
    return token;
  };
}

function run(settings: Settings, given: string): void {
  const frames = new FrameList(), rooms = new Rooms(), snippets = new Snippets(settings);
  const composer = new Composer(settings.granted, data => void rooms.publish(data));
  let simulator: Simulator | undefined;
  const tokens = new TokenPanel(settings.roomsClaim, settings.publishClaim, (token, exp) => {
    byId('main').classList.remove('idle');
    connection.start(pasted(token, exp));
  });
  const connection = new Connection(settings.path, rooms, {
    frame: (direction, text) => frames.add(direction, text),
    token: token => composer.change({publishes: tokens.own(token)}),
    tell: text => simulator?.tell(text),
    open: open => composer.change({open}),
  });
  rooms.onchange = room => {
    snippets.fill(room);
    composer.change({room});
  };
  drawLatency(() => connection.ping());
  if (given) tokens.paste(given);
  addEventListener('hashchange', () => {
    const token = tokenInAddress();
    if (token) tokens.paste(token);
  });
  const wide = matchMedia('(min-width: 60rem)').matches; // elsewhere a focus would open the keyboard over the page

  if (settings.demo) {
    byId('mode').textContent = 'demo';
    document.title = 'roomgate demo';
    simulator = new Simulator({conn: () => connection.conn, expireSoon: (token, renew) => connection.restart(token, renew)});
    connection.start(fetchToken);
    if (wide) byId('text').focus();
    return;
  }
  byId('main').classList.add('plain', 'idle');
  byId('state').dataset.state = 'idle';
  byId('state-text').textContent = 'Paste a token to connect';
  byId('empty').textContent = 'Not connected. Paste a token, such as roomgate token --sub u1 --room 42 --publish 42 prints.';
  if (wide) byId(given ? 'use' : 'pasted').focus();
}

const given = tokenInAddress();
try {
  run(await fetchSettings(), given);
} catch (error) {
  byId('state').dataset.state = 'closed';
  byId('state-text').textContent = `roomgate does not answer: ${reason(error)}. Reload this page.`;
}
