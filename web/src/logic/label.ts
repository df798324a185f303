// What a label needs: the server's rule, told while it is typed. ASCII only, which `\d` and `\w` are not everywhere.

export interface Check {
  text: string;
  isMet: boolean;
}

export function labelChecks(label: string): Check[] {
  return [
    { text: "A–Z", isMet: /[A-Z]/.test(label) },
    { text: "a–z", isMet: /[a-z]/.test(label) },
    { text: "0–9", isMet: /[0-9]/.test(label) },
    { text: "3 to 32 characters", isMet: label.length >= 3 && label.length <= 32 },
    { text: "nothing else", isMet: label !== "" && !/[^A-Za-z0-9]/.test(label) },
  ];
}

export function isLabel(label: string): boolean {
  return labelChecks(label).every((each) => each.isMet);
}
