import{a}from"./chunk-HVROQT6L.js";import"./chunk-KR5HNMPA.js";import"./chunk-FRVTRG5M.js";export{a as parser};
