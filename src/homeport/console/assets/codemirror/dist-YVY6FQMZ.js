import{a}from"./chunk-EX2XYA34.js";import"./chunk-KR5HNMPA.js";import"./chunk-FRVTRG5M.js";export{a as parser};
