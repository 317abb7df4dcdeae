import {byId, make, reason} from './dom';
import {decode, fits, isRoom, type Claims} from './token';

/** The panel that shows what a token says. */
export class TokenPanel {
  #shown: Claims | undefined;
  #own = ''; // the token of the connection

  /** roomsClaim and publishClaim are the paths of these claims; use connects with a token. */
  constructor(readonly roomsClaim: string, readonly publishClaim: string, use: (token: string, exp: number | undefined) => void) {
    const pasted = byId<HTMLTextAreaElement>('pasted'), button = byId<HTMLButtonElement>('use');
    pasted.addEventListener('input', () => {
      button.disabled = !this.#read(pasted.value.trim() || this.#own) || !pasted.value.trim();
    });
    byId('paste').addEventListener('submit', event => {
      event.preventDefault();
      if (button.disabled) return;
      use(pasted.value.trim().replace(/^Bearer\s+/i, ''), this.#shown?.exp);
      pasted.value = '';
      byId('text').focus(); // the button goes
      button.disabled = true;
    });
    byId('try').addEventListener('submit', event => event.preventDefault());
    byId('try-room').addEventListener('input', () => this.#judge());
    setInterval(() => this.#tick(), 500);
    this.paste(pasted.value); // what stands there already: pasted before the settings came, or kept by a reload
  }

  /** Puts token where one is pasted, to be looked at, and used by a click. */
  paste(token: string): void {
    const pasted = byId<HTMLTextAreaElement>('pasted');
    pasted.value = token;
    pasted.dispatchEvent(new Event('input'));
  }

  /** Shows the token that the connection has now, unless another one is being read. Returns where it may publish, if that can be read. */
  own(token: string): readonly string[] | undefined {
    this.#own = token;
    if (!byId<HTMLTextAreaElement>('pasted').value.trim()) this.#read(token);
    try {
      return decode(token, this.roomsClaim, this.publishClaim).publishes;
    } catch {
      return undefined;
    }
  }

  /** Shows token, and reports whether it could be read. */
  #read(token: string): boolean {
    this.#shown = undefined;
    let problem = '';
    try {
      if (token) this.#shown = decode(token, this.roomsClaim, this.publishClaim);
    } catch (error) {
      problem = reason(error);
    }
    byId('token-problem').textContent = problem;
    byId('token-from').textContent = !token ? 'none yet' : token === this.#own ? 'of this connection' : 'pasted';
    const list = byId('claims'), claims = this.#shown;
    list.replaceChildren();
    if (claims) {
      const row = (name: string, value: string) => {
        const there = make('dd', value);
        list.append(make('dt', name), there);
        return there;
      };
      row('for', claims.sub || 'nobody in particular (no sub)');
      row('ends', '').id = 'expiry';
      row('joins', claims.joins.join(', ') || 'no room by itself');
      if (claims.may.length) row('may join', claims.may.join(', '));
      row('may publish to', claims.publishes.join(', ') || 'no room');
    }
    byId('payload').textContent = claims ? `${JSON.stringify(claims.header)}\n${JSON.stringify(claims.payload, null, 2)}` : 'no token';
    this.#tick();
    this.#judge();
    return !!claims;
  }

  #tick(): void {
    const cell = document.getElementById('expiry');
    if (!cell || !this.#shown) return;
    const {exp} = this.#shown;
    const left = exp === undefined ? 0 : exp - Date.now() / 1000;
    cell.className = left > 0 ? '' : 'over';
    cell.textContent = exp === undefined ? 'it has no exp: refused' : left > 0 ? `in ${span(left)}` : `ended ${span(-left)} ago`;
  }

  /** Says whether the room that is being tried is allowed, and by what. */
  #judge(): void {
    const room = byId<HTMLInputElement>('try-room').value.trim(), verdict = byId('verdict');
    verdict.className = 'verdict';
    verdict.textContent = '';
    if (!room || !this.#shown) return;
    if (!isRoom(room)) {
      verdict.textContent = 'not a room’s name';
      verdict.classList.add('no');
      return;
    }
    const join = [...this.#shown.joins, ...this.#shown.may].find(entry => fits(entry, room));
    const publish = this.#shown.publishes.find(entry => fits(entry, room));
    verdict.classList.add(join ? 'yes' : 'no');
    verdict.textContent = (join ? `may join, by ${join}` : 'not by this token') + (publish ? '; may publish' : '');
  }
}

/** A time in seconds, as one says it. */
function span(seconds: number): string {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} days`;
}
