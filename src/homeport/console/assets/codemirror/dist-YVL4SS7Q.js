import{a}from"./chunk-SJPTIZ74.js";import"./chunk-KR5HNMPA.js";import"./chunk-FRVTRG5M.js";export{a as parser};
