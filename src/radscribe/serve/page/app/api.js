/** Asks the service, with a token where it wants one. */

const TOKEN = "radscribe.token";
const TRIES_WHEN_BUSY = 5;

/** A refusal of the service; `status` is 0 where it did not answer. */
export class ServiceError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

export class Api {
  /** @param {(refused: boolean) => Promise<?string>} askForToken null where the reader gives none */
  constructor(askForToken) {
    this._askForToken = askForToken;
    this._asking = null;
  }

  /** The JSON of an answer. @returns {Promise<any>} */
  async json(path, { method = "GET", body, keepalive = false } = {}) {
    const sent = body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": "application/json" } };
    return (await this.fetch(path, { method, keepalive, ...sent })).json();
  }

  /**
   * Draft the films of one study.
   *
   * @param {File[]} files
   * @param {(seconds: number) => void} waiting the service is busy and is asked again after so many seconds
   */
  async draft(files, waiting) {
    for (let tried = 1; ; tried += 1) {
      const body = new FormData();
      for (const file of files) body.append("files", file, file.name);
      try {
        return await (await this.fetch("/v1/drafts", { method: "POST", body })).json();
      } catch (error) {
        if (error.status !== 503 || tried === TRIES_WHEN_BUSY) throw error;
        const seconds = error.retryAfter ?? 2;
        waiting(seconds);
        await new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
      }
    }
  }

  /** An answer that is well. @returns {Promise<Response>} @throws {ServiceError} */
  async fetch(path, options = {}) {
    for (;;) {
      const token = sessionStorage.getItem(TOKEN);
      const headers = { ...options.headers, ...(token ? { authorization: `Bearer ${token}` } : {}) };
      let answer;
      try {
        answer = await fetch(path, { ...options, headers });
      } catch {
        throw new ServiceError(0, "The service does not answer. Is it running?");
      }
      if (answer.ok) return answer;
      if (answer.status !== 401) throw await refusal(answer);
      if (!(await this._newToken(token))) throw new ServiceError(401, "The service needs a token.");
    }
  }

  /** Ask the reader for a token once, however many requests need it. */
  async _newToken(refused) {
    if (refused !== sessionStorage.getItem(TOKEN)) return true; // given meanwhile
    this._asking ??= this._askForToken(refused !== null).finally(() => (this._asking = null));
    const token = await this._asking;
    if (token) sessionStorage.setItem(TOKEN, token);
    return Boolean(token);
  }
}

async function refusal(answer) {
  let detail = "";
  try {
    ({ detail } = await answer.json());
  } catch {
    // it has no reason
  }
  const error = new ServiceError(answer.status, detail || `The service refused it (${answer.status}).`);
  const seconds = Number(answer.headers.get("retry-after"));
  if (seconds > 0) error.retryAfter = seconds;
  return error;
}
