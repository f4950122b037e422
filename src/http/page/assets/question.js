// Asking before something is lost.

import { byId, setText } from './dom.js';

/** Asks, and tells whether the answer was yes. Escape and Cancel are no. */
export function ask({ title, text, yes }) {
  const dialog = byId('question');
  setText(byId('question-title'), title);
  setText(byId('question-text'), text);
  setText(byId('question-yes'), yes);
  return new Promise((resolve) => {
    const agree = () => dialog.close('yes');
    const disagree = () => dialog.close('no');
    byId('question-yes').addEventListener('click', agree);
    byId('question-no').addEventListener('click', disagree);
    dialog.addEventListener('close', () => {
      byId('question-yes').removeEventListener('click', agree);
      byId('question-no').removeEventListener('click', disagree);
      resolve(dialog.returnValue === 'yes');
    }, { once: true });
    dialog.returnValue = 'no';
    dialog.showModal();
  });
}
