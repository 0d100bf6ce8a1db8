/** What the sentences of a report state: the draft's own as it says, a reader's as the service reads them. */

export class StatementReader {
  /** @param {import("../app/api.js").Api} api */
  constructor(api, draft) {
    this._api = api;
    this._known = new Map(draft.sentences.map(({ text, conditions }) => [text, conditions]));
  }

  /**
   * @param {string[]} sentences
   * @returns {Promise<Record<string, string>[]>}
   */
  async read(sentences) {
    const unknown = [...new Set(sentences)].filter((text) => !this._known.has(text));
    if (unknown.length) {
      const body = { sentences: unknown };
      const { statements } = await this._api.json("/v1/statements", { method: "POST", body });
      unknown.forEach((text, place) => this._known.set(text, statements[place]));
    }
    return sentences.map((text) => this._known.get(text));
  }
}
