/**
 * Grey PNG files with all their bits: a canvas would leave 8 of them.
 *
 * @typedef {{width: number, height: number, bits: 8 | 16, levels: Uint8Array | Uint16Array}} Film
 */

const SIGNATURE = [137, 80, 78, 71, 13, 10, 26, 10];
const GREY = 0;

/** A file that is no grey PNG of 8 or 16 bits, or a damaged one. */
export class WrongPicture extends Error {}

/**
 * @param {ArrayBuffer} file
 * @returns {Promise<Film>}
 * @throws {WrongPicture}
 */
export async function decodePng(file) {
  const { width, height, bits, packed } = readChunks(new DataView(file));
  const bytes = bits / 8;
  const stride = width * bytes;
  const scanlines = await inflated(packed);
  if (scanlines.length !== height * (stride + 1)) throw new WrongPicture("the picture is cut short");
  const raw = unfiltered(scanlines, height, stride, bytes);
  if (bits === 8) return { width, height, bits, levels: raw };
  const levels = new Uint16Array(width * height);
  for (let place = 0; place < levels.length; place += 1) {
    levels[place] = (raw[2 * place] << 8) | raw[2 * place + 1];
  }
  return { width, height, bits, levels };
}

/** The header of a PNG file and its packed scanlines. */
function readChunks(view) {
  if (view.byteLength < 8 || SIGNATURE.some((byte, place) => view.getUint8(place) !== byte)) {
    throw new WrongPicture("it is no PNG file");
  }
  let header = null;
  const parts = [];
  for (let place = 8; place + 12 <= view.byteLength; ) {
    const length = view.getUint32(place);
    const name = String.fromCharCode(...new Uint8Array(view.buffer, view.byteOffset + place + 4, 4));
    if (place + 12 + length > view.byteLength) throw new WrongPicture("the picture is cut short");
    if (name === "IHDR") header = readHeader(new DataView(view.buffer, view.byteOffset + place + 8, length));
    if (name === "IDAT") parts.push(new Uint8Array(view.buffer, view.byteOffset + place + 8, length));
    if (name === "IEND") break;
    place += 12 + length;
  }
  if (!header) throw new WrongPicture("the picture has no header");
  return { ...header, packed: new Blob(parts) };
}

function readHeader(view) {
  const bits = view.getUint8(8);
  const interlaced = view.getUint8(12) !== 0;
  if (view.getUint8(9) !== GREY || (bits !== 8 && bits !== 16) || interlaced) {
    throw new WrongPicture("it is no plain grey picture of 8 or 16 bits");
  }
  return { width: view.getUint32(0), height: view.getUint32(4), bits };
}

async function inflated(packed) {
  try {
    const stream = packed.stream().pipeThrough(new DecompressionStream("deflate"));
    return new Uint8Array(await new Response(stream).arrayBuffer());
  } catch {
    throw new WrongPicture("the picture is damaged");
  }
}

/** The bytes of all lines without their filters (PNG specification, section 9). */
function unfiltered(scanlines, height, stride, bytes) {
  const raw = new Uint8Array(height * stride);
  for (let row = 0; row < height; row += 1) {
    const filter = scanlines[row * (stride + 1)];
    if (filter > 4) throw new WrongPicture("the picture is damaged");
    const from = row * (stride + 1) + 1;
    const to = row * stride;
    for (let column = 0; column < stride; column += 1) {
      const left = column >= bytes ? raw[to + column - bytes] : 0;
      const above = row ? raw[to + column - stride] : 0;
      let guess = 0;
      if (filter === 1) guess = left;
      else if (filter === 2) guess = above;
      else if (filter === 3) guess = (left + above) >> 1;
      else if (filter === 4) guess = paeth(left, above, row && column >= bytes ? raw[to + column - stride - bytes] : 0);
      raw[to + column] = scanlines[from + column] + guess;
    }
  }
  return raw;
}

function paeth(left, above, corner) {
  const guess = left + above - corner;
  const toLeft = Math.abs(guess - left);
  const toAbove = Math.abs(guess - above);
  const toCorner = Math.abs(guess - corner);
  if (toLeft <= toAbove && toLeft <= toCorner) return left;
  return toAbove <= toCorner ? above : corner;
}
