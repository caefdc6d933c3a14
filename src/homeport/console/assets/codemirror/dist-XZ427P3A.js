import{a}from"./chunk-WV4Y5LMR.js";import"./chunk-KR5HNMPA.js";import"./chunk-FRVTRG5M.js";export{a as parser};
