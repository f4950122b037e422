// Where in the text of a JSON file something stands. Browsers tell the place of a mistake in different ways, some not at
// all, and nobody tells where the items of a list begin.

const TOKEN = /("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(?:-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null)|[[\]{},:]/y;
const SPACE = /[ \t\r\n]*/y;

const VALUE = 'a value';
const KEY = 'a name';
const COLON = 'a colon';
const MORE = 'a comma or the end';

/**
 * Goes through the text and tells the line of the first mistake (`errorLine`, `null` for none) and the lines on which
 * the items of the list at `depth` begin (`itemLines`; 1 is the outermost).
 */
export function linesOf(text, depth) {
  const open = [];
  const itemLines = [];
  let expected = VALUE;
  let mayEnd = false;
  let line = 1;
  let at = 0;
  for (;;) {
    SPACE.lastIndex = at;
    const [space] = SPACE.exec(text);
    line += space.split('\n').length - 1;
    at += space.length;
    if (at === text.length) {
      return { errorLine: open.length === 0 && expected === MORE ? null : line, itemLines };
    }
    TOKEN.lastIndex = at;
    const found = TOKEN.exec(text);
    if (found === null) {
      return { errorLine: line, itemLines };
    }
    const [token, string] = found;
    at += token.length;
    const inList = open.at(-1) === '[';
    const closes = (token === ']' && inList) || (token === '}' && open.at(-1) === '{');
    if (closes && (expected === MORE || mayEnd)) {
      open.pop();
      expected = MORE;
      mayEnd = false;
    } else if (expected === MORE && token === ',' && open.length > 0) {
      expected = inList ? VALUE : KEY;
    } else if (expected === COLON && token === ':') {
      expected = VALUE;
    } else if (expected === KEY && string !== undefined) {
      expected = COLON;
      mayEnd = false;
    } else if (expected === VALUE && !/^[\]},:]$/.test(token)) {
      if (inList && open.length === depth) {
        itemLines.push(line);
      }
      const opens = token === '[' || token === '{';
      if (opens) {
        open.push(token);
      }
      expected = token === '{' ? KEY : opens ? VALUE : MORE;
      mayEnd = opens;
    } else {
      return { errorLine: line, itemLines };
    }
  }
}
