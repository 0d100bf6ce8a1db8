/** Paints a film with all its levels by WebGL2. */

import { halved } from "../logic/levels.js";

/** @typedef {import("../logic/png.js").Film} Film */
/** @typedef {{placement: {scale: number, x: number, y: number}, black: number, white: number, inverted: boolean}} Look */

const VERTICES = `#version 300 es
in vec2 corner;
void main() { gl_Position = vec4(corner, 0.0, 1.0); }`;

// Integer textures know no filters: levels between pixels are mixed here, and where the film is made smaller
// several of its pixels are averaged.
const FRAGMENTS = `#version 300 es
precision highp float;
precision highp int;
precision highp usampler2D;
uniform usampler2D film;
uniform vec2 offset;
uniform float scale;
uniform float height;
uniform float black;
uniform float white;
uniform float inverted;
out vec4 colour;

float levelAt(ivec2 place) {
  ivec2 last = textureSize(film, 0) - 1;
  return float(texelFetch(film, clamp(place, ivec2(0), last), 0).r);
}

float mixedAt(vec2 place) {
  vec2 first = floor(place - 0.5);
  vec2 share = place - 0.5 - first;
  ivec2 corner = ivec2(first);
  float upper = mix(levelAt(corner), levelAt(corner + ivec2(1, 0)), share.x);
  float lower = mix(levelAt(corner + ivec2(0, 1)), levelAt(corner + ivec2(1, 1)), share.x);
  return mix(upper, lower, share.y);
}

void main() {
  vec2 window = vec2(gl_FragCoord.x, height - gl_FragCoord.y);
  vec2 place = (window - offset) / scale;
  vec2 size = vec2(textureSize(film, 0));
  if (any(lessThan(place, vec2(0.0))) || any(greaterThan(place, size))) { colour = vec4(0.0, 0.0, 0.0, 1.0); return; }
  int samples = int(clamp(ceil(0.75 / scale), 1.0, 5.0));
  float sum = 0.0;
  for (int row = 0; row < samples; row += 1) {
    for (int column = 0; column < samples; column += 1) {
      vec2 within = (vec2(float(column), float(row)) + 0.5) / float(samples) - 0.5;
      sum += mixedAt(place + within / scale);
    }
  }
  float grey = clamp((sum / float(samples * samples) - black) / (white - black), 0.0, 1.0);
  grey = mix(grey, 1.0 - grey, inverted);
  colour = vec4(grey, grey, grey, 1.0);
}`;

export class WebglPainter {
  /**
   * @param {HTMLCanvasElement} canvas
   * @throws {Error} where the browser has no WebGL2
   */
  constructor(canvas) {
    const gl = canvas.getContext("webgl2", { alpha: false, antialias: false, preserveDrawingBuffer: true });
    if (!gl) throw new Error("no WebGL2");
    this._canvas = canvas;
    this._gl = gl;
    this._shrunk = 1;
    this._program = program(gl);
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, new Float32Array([-1, -1, 3, -1, -1, 3]), gl.STATIC_DRAW);
    const corner = gl.getAttribLocation(this._program, "corner");
    gl.enableVertexAttribArray(corner);
    gl.vertexAttribPointer(corner, 2, gl.FLOAT, false, 0, 0);
    gl.useProgram(this._program);
    this._uniforms = Object.fromEntries(
      ["offset", "scale", "height", "black", "white", "inverted"].map((name) => [
        name,
        gl.getUniformLocation(this._program, name),
      ]),
    );
  }

  /** How many bits of a film can be seen at most. */
  get bits() {
    return 16;
  }

  /** @param {Film} film */
  show(film) {
    const gl = this._gl;
    this._shrunk = 1;
    let shown = film;
    while (Math.max(shown.width, shown.height) > gl.getParameter(gl.MAX_TEXTURE_SIZE)) {
      shown = halved(shown);
      this._shrunk *= 2;
    }
    const deep = shown.bits === 16;
    if (this._texture) gl.deleteTexture(this._texture);
    this._texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, this._texture);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MIN_FILTER, gl.NEAREST);
    gl.texParameteri(gl.TEXTURE_2D, gl.TEXTURE_MAG_FILTER, gl.NEAREST);
    const [inside, type] = deep ? [gl.R16UI, gl.UNSIGNED_SHORT] : [gl.R8UI, gl.UNSIGNED_BYTE];
    gl.texImage2D(gl.TEXTURE_2D, 0, inside, shown.width, shown.height, 0, gl.RED_INTEGER, type, shown.levels);
  }

  /** @param {Look} look */
  paint({ placement, black, white, inverted }) {
    if (!this._texture) return;
    const gl = this._gl;
    const density = this._canvas.width / this._canvas.clientWidth || 1;
    gl.viewport(0, 0, this._canvas.width, this._canvas.height);
    gl.uniform2f(this._uniforms.offset, placement.x * density, placement.y * density);
    gl.uniform1f(this._uniforms.scale, placement.scale * density * this._shrunk);
    gl.uniform1f(this._uniforms.height, this._canvas.height);
    gl.uniform1f(this._uniforms.black, black);
    gl.uniform1f(this._uniforms.white, white);
    gl.uniform1f(this._uniforms.inverted, inverted ? 1 : 0);
    gl.drawArrays(gl.TRIANGLES, 0, 3);
  }
}

function program(gl) {
  const made = gl.createProgram();
  for (const [kind, source] of [[gl.VERTEX_SHADER, VERTICES], [gl.FRAGMENT_SHADER, FRAGMENTS]]) {
    const shader = gl.createShader(kind);
    gl.shaderSource(shader, source);
    gl.compileShader(shader);
    if (!gl.getShaderParameter(shader, gl.COMPILE_STATUS)) throw new Error(gl.getShaderInfoLog(shader) ?? "no shader");
    gl.attachShader(made, shader);
  }
  gl.linkProgram(made);
  if (!gl.getProgramParameter(made, gl.LINK_STATUS)) throw new Error(gl.getProgramInfoLog(made) ?? "no program");
  return made;
}
