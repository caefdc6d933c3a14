import{a}from"./chunk-JDE62344.js";import"./chunk-KR5HNMPA.js";import"./chunk-FRVTRG5M.js";export{a as parser};
