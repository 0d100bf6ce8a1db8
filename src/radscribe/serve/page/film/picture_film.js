/** A film from any picture that the browser can read, with 8 bits. */

/**
 * @param {Blob} file
 * @returns {Promise<import("../logic/png.js").Film>}
 */
export async function filmOfPicture(file) {
  const picture = await createImageBitmap(file);
  const canvas = document.createElement("canvas");
  canvas.width = picture.width;
  canvas.height = picture.height;
  const context = canvas.getContext("2d");
  context.drawImage(picture, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height).data;
  const levels = new Uint8Array(canvas.width * canvas.height);
  for (let place = 0; place < levels.length; place += 1) levels[place] = pixels[4 * place];
  return { width: canvas.width, height: canvas.height, bits: 8, levels };
}
