// What the server says begins small; a person is told in a sentence.

export function sentence(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
